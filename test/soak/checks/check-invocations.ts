import { ABSENT, type HistoryRecord, type Part, type RecordOf, time } from "../history.ts";
import { type Faults, type Revisions, SETTLE_MS } from "./timeline.ts";

export interface InvocationVerdict {
  violations: string[];
  /** How many ended in each way, such as `200` or `502 FUNCTION_CRASHED`, and of those that failed how many are explained. */
  outcomes: Map<string, { count: number; explained: number }>;
  /** Milliseconds from begin to end, of those that were answered 200, ascending. */
  latencies: number[];
}

type Violate = (rule: number, what: string) => void;

/** The states that an invocation may have met. */
interface Meeting {
  possible: ReadonlySet<string>;
  /** The function was changed meanwhile, or a moment before. */
  isChanging: boolean;
}

/** Bodies of up to this length are kept by routers, and sent again. */
const REPLAYED_BYTES = 64 * 1024;

interface Invocation {
  begun: RecordOf<"begun">;
  ended: RecordOf<"ended"> | undefined;
  runs: RecordOf<"run">[];
}

/** Rules 1 to 5 of `check`. */
export function checkInvocations(records: readonly HistoryRecord[], faults: Faults, revisions: Revisions): InvocationVerdict {
  const verdict: InvocationVerdict = { violations: [], outcomes: new Map(), latencies: [] };
  const named = namesOfRevisions(records);
  for (const invocation of collect(records, verdict.violations)) {
    const { begun, ended, runs } = invocation;
    const violate: Violate = (rule, what) => void verdict.violations.push(`rule ${rule}: ${begun.id} of ${begun.function} at ${time(begun.at)}: ${what}`);
    if (runs.length > 1) violate(2, `ran ${runs.length} times: ${runs.map(({ tag, instance }) => `${tag} on ${instance}`).join(", ")}`);
    if (!ended) {
      violate(1, "never ended");
      continue;
    }
    const possible = revisions.within(begun.function, begun.router, begun.at, ended.at);
    for (const { tag } of runs) if (!possible.has(tag)) violate(3, `ran ${tag}, but the function was ${[...possible].join(" or ") || "nothing"}`);
    const why =
      ended.status === 200
        ? checkAnswer(invocation, ended, named.get(begun.function), violate)
        : explain(invocation, ended, faults, { possible, isChanging: revisions.changes(begun.function, begun.at, ended.at) });
    tally(verdict, begun, ended, why !== null);
    if (why === null) violate(5, `${outcomeOf(ended)} after ${ended.at - begun.at} ms at ${begun.router}, unexplained: ${ended.text.slice(0, 200)}`);
  }
  verdict.latencies.sort((a, b) => a - b);
  return verdict;
}

function collect(records: readonly HistoryRecord[], violations: string[]): Iterable<Invocation> {
  const all = new Map<string, Invocation>();
  for (const record of records) {
    if (record.type === "begun") all.set(record.id, { begun: record, ended: undefined, runs: [] });
    if (record.type !== "ended" && record.type !== "run") continue;
    const invocation = all.get(record.id);
    if (!invocation) violations.push(`rule 2: ${record.id} ${record.type === "run" ? "ran" : "ended"}, and nobody has invoked it`);
    else if (record.type === "run") invocation.runs.push(record);
    else invocation.ended = record;
  }
  return all.values();
}

/** By function and revision the tags that it has had: a function that was deleted and deployed again counts from r1. */
function namesOfRevisions(records: readonly HistoryRecord[]): Map<string, Map<string, Set<string>>> {
  const named = new Map<string, Map<string, Set<string>>>();
  for (const record of records) {
    if (record.type !== "revisions") continue;
    const known = named.get(record.function) ?? new Map<string, Set<string>>();
    named.set(record.function, known);
    for (const [revision, tag] of Object.entries(record.tags)) known.set(revision, new Set([...(known.get(revision) ?? []), tag]));
  }
  return named;
}

function checkAnswer(
  { runs }: Invocation,
  { tag, revision, text }: RecordOf<"ended">,
  named: ReadonlyMap<string, ReadonlySet<string>> | undefined,
  violate: Violate,
): string {
  if (tag === null) violate(3, `was answered 200 with something else than the function's answer: ${text.slice(0, 200)}`);
  if (runs.length === 0) violate(2, "was answered 200, and did not run");
  else if (tag !== null && runs.some((run) => run.tag !== tag)) violate(3, `${runs.map((run) => run.tag).join(", ")} ran, ${tag} answered`);
  const tags = revision === null ? undefined : named?.get(revision);
  if (tags && tag !== null && !tags.has(tag)) violate(4, `${tag} answered as ${revision}, which is ${[...tags].join(" or ")}`);
  return "it was answered";
}

/** Why it may have failed, in words; null: it may not. */
function explain({ begun, runs }: Invocation, ended: RecordOf<"ended">, faults: Faults, { possible, isChanging }: Meeting): string | null {
  const within = (isPart: (part: Part) => boolean) => faults.ended(isPart, begun.at, ended.at)?.what ?? null;
  switch (ended.code) {
    case "FUNCTION_NOT_FOUND":
    case "FUNCTION_DELETED":
      return possible.has(ABSENT) ? "the function was not there" : null;
    case "NOT_READY":
      return possible.has(ABSENT) ? (faults.during(begun.at - SETTLE_MS, ended.at)?.what ?? null) : null;
    case "ROUTER_LOST":
      return within((part) => part.startsWith("router:") && part !== `router:${begun.router}`);
    case "INSTANCE_LOST":
    case "FUNCTION_CRASHED":
      return within((part) => isInstance(part, runs) || (runs.length === 0 && part.startsWith("instance")));
    case "INSTANCE_UNAVAILABLE":
      if (begun.bytes <= REPLAYED_BYTES || runs.length > 0) return null;
      return isChanging ? "the function changed" : (faults.during(begun.at - SETTLE_MS, ended.at)?.what ?? null);
    default:
      // Headers have come, or none: in both cases the connection to the router ended.
      return ended.code?.startsWith("E") ? within((part) => part === `router:${begun.router}` || isInstance(part, runs)) : null;
  }
}

/** An answer that had begun breaks off with the instance, and the router has nothing else to say that with. */
function isInstance(part: Part, runs: readonly RecordOf<"run">[]): boolean {
  return runs.length > 0 && (part === "instances" || runs.some(({ instance }) => part === `instance:${instance}`));
}

function tally({ outcomes, latencies }: InvocationVerdict, begun: RecordOf<"begun">, ended: RecordOf<"ended">, isExplained: boolean): void {
  const outcome = outcomeOf(ended);
  const known = outcomes.get(outcome) ?? { count: 0, explained: 0 };
  outcomes.set(outcome, { count: known.count + 1, explained: known.explained + (isExplained ? 1 : 0) });
  if (ended.status === 200) latencies.push(ended.at - begun.at);
}

function outcomeOf({ status, code }: RecordOf<"ended">): string {
  return [status || "no answer", code].filter((part) => part !== null).join(" ");
}
