import { expect, test } from "vitest";
import type { TableFunction } from "../../pool-manager/client/contract.ts";
import { CrashLoops } from "../../pool-manager/pool/crash-loops.ts";
import { Rest } from "../helpers/rest.ts";

const error = { reason: "crash" as const, message: "no database", revision: "r1" };

/** Crashes one after the other, each so long after its load, which is as soon as it may be; the delays that follow. */
function delays(loops: CrashLoops, ran: readonly number[]): number[] {
  let now = 0;
  return ran.map((ms) => {
    const loadedAt = now + 10;
    now = loadedAt + ms;
    const delay = (loops.crashed("f/r1", { instanceUid: "i", loadedAt, error }, now)?.until ?? now) - now;
    now += delay;
    return delay;
  });
}

const MINUTE = 60_000;

test.each([
  ["the first crash has no delay, further ones ten seconds that double, five minutes at most", Array(9).fill(150), [0, 10, 20, 40, 80, 160, 300, 300, 300]],
  ["crashes after a minute of service delay nothing", [2 * MINUTE, 2 * MINUTE, 2 * MINUTE], [0, 0, 0]],
  ["a crash after long good service begins the count again", [1, 1, 1, 10 * MINUTE, 1, 1], [0, 10, 20, 0, 0, 10]],
])("%s", (_what, ran, seconds) => {
  expect(delays(new CrashLoops(), ran).map((ms) => ms / 1000)).toEqual(seconds);
});

test("instances that were loaded before a crash are of the same round, and those that were there before the pool manager count never", () => {
  const loops = new CrashLoops();
  const crash = (instanceUid: string, loadedAt: number | null, now: number) => loops.crashed("f/r1", { instanceUid, loadedAt, error }, now)?.crashes ?? 0;
  expect([crash("a", 0, 100), crash("b", 10, 110), crash("c", 20, 120)]).toEqual([0, 0, 0]);
  expect([crash("d", 150, 200), crash("e", 160, 210), crash("f", null, 220)]).toEqual([2, 0, 0]);
});

/** A function that keeps one instance warm, which crashes 150 ms after each load while `crashes`. */
async function looping(): Promise<{ rest: Rest; starts: number[]; table(): TableFunction | undefined; mend(): void }> {
  const rest = await Rest.reach();
  await rest.deploy("two", { minScale: 1, maxScale: 3, idleTimeout: "1h" });
  let entry: TableFunction | undefined;
  rest.reconciler.subscribe((change) => {
    if (change.type === "upsert" && change.function.name === "f") entry = change.function;
  });
  await rest.pass(20_000);
  const starts: number[] = [];
  const known = new Set<string>();
  let crashes = true;
  const look = () => {
    for (const uid of rest.platform.uids()) {
      if (rest.platform.life(uid)?.echo().state !== "warm" || known.has(uid)) continue;
      known.add(uid);
      starts.push(rest.time.now());
      if (crashes) rest.time.after(150, () => crashes && rest.platform.crash(uid));
    }
    rest.time.after(10, look);
  };
  look();
  const mend = () => {
    crashes = false;
  };
  return { rest, starts, table: () => entry, mend };
}

test("a function that crashes after each load is started a few times, and says why meanwhile", async () => {
  const { rest, starts, table, mend } = await looping();
  const from = starts.length;
  await rest.pass(60_000);
  expect(starts.length - from).toBeLessThan(6);
  const record = rest.functions.list()[0];
  if (!record) throw new Error("no function");
  const problems = rest.reconciler.reports.problemsOfFunction(record).join("; ");
  expect(problems).toMatch(/^r2 crashes soon after it has loaded, \d times in a row; the next start is in \d+ s: crashed/);
  expect(table()).toMatchObject({ endpoints: [], failure: { reason: "crash", message: "crashed" } });
  const loops = rest.events.flatMap((event) => (event.type === "revision.crash-loop" ? [event.delayMs / 1000] : []));
  expect(loops.slice(0, 3)).toEqual([10, 20, 40]);
  mend();
  await rest.pass(60_000);
  expect(rest.states().warm).toBe(1);
  expect(rest.reconciler.reports.problemsOfFunction(record)).toEqual([]);
});

test("an instance that crashes after long service is replaced at once, and so are those whose runtime the platform restarts", async () => {
  const rest = await Rest.reach();
  for (const end of ["crash", "restart", "restart", "restart", "restart"] as const) {
    await rest.pass(end === "crash" ? 700_000 : 3000);
    const before = rest.warm();
    for (const uid of before.slice(0, 3)) rest.platform[end](uid);
    await rest.pass(2500);
    expect(rest.states().warm).toBe(20);
  }
  expect(rest.events.filter(({ type }) => type === "revision.crash-loop")).toEqual([]);
});
