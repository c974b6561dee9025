import type { LoadAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { longPoll } from "../../../pool-manager/async/long-poll.ts";
import { CliError } from "../../errors.ts";
import { functionPath, type ManageClient } from "../../manage-client.ts";

const RETRY_MS = 300;
/** Error codes of a request whose pool manager has ended; the next pool manager is asked. */
const LOST = new Set(["CONNECTION_LOST", "UNREACHABLE", "LEADER_LOST", "NO_LEADER", "NOT_READY"]);
/** How long a restart or a handover may take. */
const LOST_MS = 30_000;

/**
 * Waits until an instance has loaded the revision, and returns the function as it is then. Rejects with `LOAD_FAILED` if the
 * revision does not load, and with `LOAD_PENDING` if no instance has loaded it within `waitMs`.
 */
export async function loaded(
  api: ManageClient,
  name: string,
  revision: string,
  { waitMs, say }: { waitMs: number; say(text: string): void },
): Promise<LoadAnswer> {
  const path = functionPath(name, `/revisions/${encodeURIComponent(revision)}/load`);
  const deadline = performance.now() + waitMs;
  let problems: string[] = [];
  let answeredAt = performance.now();
  const answer = await longPoll(waitMs, async (askMs) => {
    const view = await asked(api, `${path}?wait=${askMs}ms`, answeredAt + LOST_MS);
    if (!view || view.loaded) return view;
    answeredAt = performance.now();
    problems = view.problems;
    if (answeredAt < deadline) say(`${name}: waiting for an instance that loads ${revision}${problems.map((problem) => `; ${problem}`).join("")}`);
    return null;
  });
  if (answer) return answer;
  const why = problems.length > 0 ? `: ${problems.join("; ")}` : "";
  throw new CliError(
    "LOAD_PENDING",
    `no instance has loaded ${revision} of ${name} within ${Math.round(waitMs / 1000)} s${why}`,
    `make room in its pool (berth pool get), wait longer with --wait, or have it take over at once with --no-wait; berth get ${name} shows whether it has loaded since`,
  );
}

/** Asks once; null: the pool manager has ended, and another one is expected before `until`. */
async function asked(api: ManageClient, path: string, until: number): Promise<LoadAnswer | null> {
  try {
    return (await api.call("POST", path)) as LoadAnswer;
  } catch (error) {
    if (!LOST.has((error as CliError).code) || performance.now() >= until) throw error;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return null;
  }
}
