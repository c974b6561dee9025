import { ABSENT, type HistoryRecord, type RecordOf, time } from "../history.ts";
import type { Faults } from "./timeline.ts";

/** Events and lists travel apart: the word about an instance may come this much before or after the list that lacks it. */
const APART_MS = 10_000;
/** The consequences of a fault may take as long as an instance may take to start. */
const AFTERMATH_MS = 75_000;

const TROUBLE: ReadonlySet<string> = new Set(["suspect", "unreachable", "start-timeout", "orphaned", "misbound"]);

type Told = { at: number; event: RecordOf<"event">["event"] };

/** Rules 6 to 8 of `check`. */
export function checkInstances(records: readonly HistoryRecord[], faults: Faults): string[] {
  const told = eventsByInstance(records);
  const violations: string[] = [];
  for (const record of records) {
    if (record.type === "unlisted") violations.push(...checkEnd(record, told.get(record.instance) ?? [], faults));
  }
  for (const [instance, events] of told) violations.push(...checkReasons(instance, events, faults));
  const wasDeleted = records.some((record) => record.type === "change" && record.may.includes(ABSENT));
  for (const [instance, events] of told) {
    const orphan = events.find(({ event }) => event.type === "instance.removing" && event.reason === "deleted-function");
    if (orphan && !wasDeleted) violations.push(`rule 7: instance ${instance} was removed at ${time(orphan.at)} as a deleted function's, and none was deleted`);
  }
  return violations;
}

function eventsByInstance(records: readonly HistoryRecord[]): Map<string, Told[]> {
  const told = new Map<string, Told[]>();
  for (const record of records) {
    if (record.type !== "event" || !("instance" in record.event)) continue;
    const { event, at } = record;
    const of = told.get(record.event.instance) ?? [];
    told.set(record.event.instance, of);
    of.push({ at, event });
  }
  return told;
}

/** Rule 6. */
function checkEnd({ instance, state, function: name, at }: RecordOf<"unlisted">, events: readonly Told[], faults: Faults): string[] {
  if (events.some(({ event }) => event.type === "instance.removing" || event.type === "instance.crashed")) return [];
  if (faults.ended((part) => part === "instances" || part === `instance:${instance}`, at - APART_MS, at)) return [];
  return [`rule 6: instance ${instance} (${state}, ${name ?? "free"}) was no longer listed at ${time(at)}, and nothing says why`];
}

/** Rules 7 and 8. */
function checkReasons(instance: string, events: readonly Told[], faults: Faults): string[] {
  const violations: string[] = [];
  const functions = new Set<string>();
  let [isLeaving, failedToLoad] = [false, false];
  const wasEnded = (at: number) => faults.ended((part) => part === "instances" || part === `instance:${instance}`, at - APART_MS, at) !== undefined;
  for (const { at, event } of events) {
    if (event.type === "instance.specialized") functions.add(event.function);
    if (event.type === "instance.load-failed") failedToLoad = true;
    const isExplained = {
      none: true,
      ended: isLeaving || failedToLoad || wasEnded(at),
      disturbed: failedToLoad || faults.during(at - AFTERMATH_MS, at) !== undefined,
    };
    const { cause, what } = troubleOf(event);
    if (!isExplained[cause])
      violations.push(`rule 7: instance ${instance} ${what} at ${time(at)}, and nothing had been done to ${cause === "ended" ? "it" : "anything"}`);
    if (event.type === "instance.removing") isLeaving = true;
  }
  if (functions.size > 1) violations.push(`rule 8: instance ${instance} was given to ${[...functions].join(" and to ")}`);
  return violations;
}

/** The cause that an event needs: the end of this very instance, a fault anywhere, or none. */
function troubleOf(event: Told["event"]): { cause: "none" | "ended" | "disturbed"; what: string } {
  if (event.type === "instance.crashed") return { cause: "ended", what: `crashed (${event.message})` };
  if (event.type !== "instance.removing") return { cause: "none", what: "" };
  const what = `was removed (${event.reason})`;
  if (event.reason === "failed") return { cause: "ended", what };
  return { cause: TROUBLE.has(event.reason) ? "disturbed" : "none", what };
}
