import { expect, test } from "vitest";
import type { TableFunction } from "../../../../../pool-manager/client/contract.ts";
import { CrashLoops, type Evidence, verdictOf } from "../../../../../pool-manager/pool/observe/crash-loops.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

const error = { reason: "crash" as const, message: "no database", revision: "r1" };

/** Crashes one after the other, each so long after its load, which is as soon as it may be; the delays that follow. */
function delays(loops: CrashLoops, ran: readonly number[]): number[] {
  let now = 0;
  return ran.map((ms) => {
    const loadedAt = now + 10;
    now = loadedAt + ms;
    const delay = (loops.crashed("f/r1", { instanceUid: "i", loadedAt, hasAnswered: false, answered: 0, error }, now)?.until ?? now) - now;
    now += delay;
    return delay;
  });
}

const SOON: Evidence = { ranMs: 59_999, answeredSince: false, answeredEver: false, crashes: 1 };
const proven = (crashes: number): Evidence => ({ ...SOON, answeredEver: true, crashes });

test.each<[string, Evidence, string]>([
  ["after a minute", { ...SOON, ranMs: 60_000, crashes: 9 }, "none"],
  ["of an instance that served before the pool manager came", { ...SOON, ranMs: null, crashes: 9 }, "none"],
  ["the first in a row", SOON, "none"],
  ["the second in a row", { ...SOON, crashes: 2 }, "code 10"],
  ["the seventh in a row", { ...SOON, crashes: 7 }, "code 300"],
  ["after an answer", { ...SOON, answeredSince: true, answeredEver: true, crashes: 1 }, "request"],
  ["the fifth in a row of a revision that has answered before", proven(5), "request"],
  ["the sixth in a row of a revision that has answered before", proven(6), "code 10"],
  ["the seventh in a row of a revision that has answered before", proven(7), "code 20"],
])("a crash %s", (_what, evidence, expected) => {
  const verdict = verdictOf(evidence);
  expect(verdict.kind === "code" ? `code ${verdict.delayMs / 1000}` : verdict.kind).toBe(expected);
});

/** Crashes that follow each other as quickly as they may, each 100 ms after a load; when each was, in seconds, and whether anybody was turned away for it. */
function crashes(count: number, answeredBefore: (index: number) => number, hasAnswered = false): { at: number[]; loops: number } {
  const loops = new CrashLoops();
  const at: number[] = [];
  let [now, turnedAway] = [0, 0];
  for (let i = 0; i < count; i++) {
    now = Math.max(now, loops.blockedUntil("f/r1", now)) + 1;
    const loop = loops.crashed("f/r1", { instanceUid: "i", loadedAt: now, hasAnswered, answered: answeredBefore(i), error }, now + 100);
    now += 100;
    at.push(Math.round(now / 1000));
    if (loop && loops.current("f/r1", now)) turnedAway += 1;
  }
  return { at, loops: turnedAway };
}

test("instances that requests crash while their revision answers others turn nobody away, and are replaced five at once and then one in five seconds", () => {
  const answers = crashes(9, (i) => i + 1);
  expect(answers).toEqual({ at: [0, 0, 0, 0, 0, 1, 5, 10, 15].map((s) => expect.closeTo(s, -0.5)), loops: 0 });
  expect(crashes(40, (i) => i + 1).at.at(-1)).toBeGreaterThan(150);
  // An answer of its instance is evidence although no router has reported it yet.
  expect(crashes(40, () => 0, true).loops).toBe(0);
});

test("a revision that has answered, and then crashes at every request, gets into the loop after five", () => {
  const { at, loops } = crashes(8, () => 100);
  expect(loops).toBe(3);
  expect((at[7] ?? 0) - (at[6] ?? 0)).toBe(20);
});

const MINUTE = 60_000;

test.each([
  ["the first crash has no delay, further ones ten seconds that double, five minutes at most", Array(9).fill(150), [0, 10, 20, 40, 80, 160, 300, 300, 300]],
  ["crashes after a minute of service delay nothing", [2 * MINUTE, 2 * MINUTE, 2 * MINUTE], [0, 0, 0]],
  ["a crash after long good service begins the count again", [1, 1, 1, 10 * MINUTE, 1, 1], [0, 10, 20, 0, 0, 10]],
])("%s", (_what, ran, seconds) => {
  expect(delays(new CrashLoops(), ran).map((ms) => ms / 1000)).toEqual(seconds);
});

test("instances that were loaded before a crash belong to the same round, and those from before the pool manager's start never count", () => {
  const loops = new CrashLoops();
  const crash = (instanceUid: string, loadedAt: number | null, now: number) =>
    loops.crashed("f/r1", { instanceUid, loadedAt, hasAnswered: false, answered: 0, error }, now)?.crashes ?? 0;
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
  const check = () => {
    for (const uid of rest.platform.uids()) {
      if (rest.platform.life(uid)?.echo().state !== "warm" || known.has(uid)) continue;
      known.add(uid);
      starts.push(rest.time.now());
      if (crashes) rest.time.after(150, () => crashes && rest.platform.crash(uid));
    }
    rest.time.after(10, check);
  };
  check();
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

test("a function whose instances answer between the requests that end them turns nobody away, and stays up", async () => {
  const { rest, starts, table } = await looping();
  const from = starts.length;
  const begun = rest.time.now();
  let ended = 0;
  const answer = () => {
    const key = rest.functions.list()[0]?.uid ?? "";
    const counted = { ended: ++ended, failed: 0, countedMs: rest.time.now() - begun };
    const functions = [{ key, revision: "r2", waiting: 0, inFlight: 0, oldestWaitMs: 0, ...counted, instances: [] }];
    rest.report("a", {}, { functions });
    rest.time.after(100, answer);
  };
  answer();
  const failures: unknown[] = [];
  for (let s = 0; s < 60; s++) {
    await rest.pass(1000);
    if (table()?.failure) failures.push(table()?.failure);
  }
  expect(failures).toEqual([]);
  expect(rest.events.filter(({ type }) => type === "revision.crash-loop")).toEqual([]);
  expect(starts.length - from).toBeGreaterThan(10);
  expect(starts.length - from).toBeLessThan(25);
});

test("the fact that a revision has answered is learned from the instance that reported it", () => {
  const loops = new CrashLoops();
  const crash = (hasAnswered: boolean, now: number) => loops.crashed("f/r1", { instanceUid: "i", loadedAt: now - 100, hasAnswered, answered: 0, error }, now);
  expect([crash(true, 1000), crash(false, 2000), crash(false, 3000)]).toEqual([null, null, null]);
});
