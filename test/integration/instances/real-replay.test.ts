import { describe, expect, test } from "vitest";
import { parsePolicies } from "../../../bench/replay/policy.ts";
import { replayForReal } from "../../../bench/replay/real-replay.ts";
import { Replay } from "../../../bench/replay/replay.ts";
import { TraceBuilder } from "../../../bench/replay/trace.ts";

const OPTIONS = { concurrency: 10, size: 2 };

/** Two functions: one is idle for longer than two seconds between its calls, one is not. */
function trace() {
  const builder = new TraceBuilder();
  for (const at of [200, 4200, 8200]) builder.add("seldom", at, 20);
  for (let at = 500; at < 9000; at += 500) builder.add("often", at, 20);
  return builder.build(9000);
}

describe("a trace in real time", () => {
  test("has the starts that it has in virtual time", async () => {
    const [policy] = parsePolicies("fixed:2s");
    if (!policy) throw new Error("no policy");
    const virtual = new Replay(trace(), policy, { ...OPTIONS, max: 100, createMs: 300, loadMs: 20 }).run();
    const real = await replayForReal(trace(), policy, OPTIONS, () => {});
    expect([real.errors, real.firstError, real.tally.invocations]).toEqual([0, "", 20]);
    expect([real.tally.starts, virtual.tally.starts]).toEqual([4, 4]);
    expect(real.tally.waits.maxValue / 1000).toBeGreaterThan(1);
    // Two free instances throughout, and at least the one that is called often.
    expect(real.spentMs.all).toBeGreaterThan(2 * 8000);
    expect(real.spentMs.owned).toBeGreaterThan(7000);
    expect(real.instanceMb).toBeGreaterThan(5);
  }, 60_000);

  test("is refused where it is too large, before anything starts", async () => {
    const large = new TraceBuilder();
    for (let i = 0; i < 101; i++) large.add(`f${i}`, i, 1);
    const refused = replayForReal(large.build(), { name: "auto", idleTimeoutMs: null }, OPTIONS, () => {});
    await expect(refused).rejects.toMatchObject({ code: "TRACE_TOO_LARGE", fix: expect.stringContaining("100 functions") });
  });
});
