import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { PoolAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { chooseSize, type SizingInputs } from "../../../pool-manager/pool/sizing/choose-size.ts";
import { ECHO, ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";

const MIB = 2 ** 20;
const NAMES = ["a", "b", "c", "d"];
let berth: TestBerth | null = null;

afterEach(async () => {
  await berth?.close();
  berth = null;
});

async function started(stateDir?: string): Promise<TestBerth> {
  berth = await TestBerth.start({ ...(stateDir && { stateDir }), poolSize: 1 });
  return berth;
}

const poolOf = (on: TestBerth) => on.api.get<PoolAnswer>("/v1/pools/node");

test("idle instances that exceed the memory leave, the longest idle one first, and whoever calls is served", async () => {
  const on = await started();
  await on.api.call("PATCH", "/v1/pools/node", { size: "auto", min: 1, max: 9, idleMemory: "288Mi" });
  for (const name of NAMES) await on.deploy(name, ECHO, { idleTimeout: "10m" });
  for (const name of NAMES) expect((await on.invoke(name)).status).toBe(200);
  const warm = async () => (await on.instances()).filter(({ state }) => state === "warm");
  const within = async () => {
    const { memory } = await poolOf(on);
    return (await warm()).every(({ idleMs }) => idleMs > 10_000) && (memory?.usedBytes ?? 0) <= 288 * MIB;
  };
  await until(within, "what is idle fits", 40_000);
  const left = (await warm()).map((instance) => instance.function);
  expect(left.length).toBeLessThanOrEqual(2);
  expect(left).not.toContain("a");
  for (const name of NAMES) expect((await on.invoke(name)).status).toBe(200);
  const metrics = await (await fetch(`${on.berth.manageUrl}/metrics`)).text();
  expect(metrics).toMatch(/berth_instances_removed_total\{pool="node",reason="idle-memory"\} [2-9]/);
  expect(metrics).toContain(`berth_pool_idle_memory_limit_bytes{pool="node"} ${288 * MIB}`);
}, 90_000);

test.skipIf(ON_CLUSTER)(
  "the limit bounds what a pool chooses, says so, and survives a restart; minScale takes its part and is kept",
  async () => {
    const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
    const first = await started(stateDir);
    const run = (...args: string[]) => runCommand(args, { BERTH_URL: first.berth.manageUrl });
    const refused = await run("pool", "set", "node", "--size", "auto", "--min", "3", "--idle-memory", "192Mi");
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("POOL_INVALID: idleMemory: 192Mi has no room for min 3, which takes 288Mi") });
    const wanted = ["--warm", "daily 00:00-24:00 UTC=4"];
    const set = await run("pool", "set", "node", "--size", "auto", "--min", "1", "--max", "9", "--idle-memory", "192Mi", ...wanted);
    expect(set.stderr).toContain("the schedule daily 00:00-24:00 UTC wants 4, idleMemory of 192Mi allows 2");
    expect((await run("pool", "get", "node")).stdout).toMatch(/memory +.* of 192Mi taken; 96Mi an instance, so that 2 free ones fit/);
    await first.deploy("kept", ECHO, { minScale: 3 });
    await until(async () => (await poolOf(first)).chosenSize === 1, "minScale takes its part");
    const full = await poolOf(first);
    expect(full).toMatchObject({ idleMemory: "192Mi", memory: { limitBytes: 192 * MIB, minScaleBytes: 288 * MIB, freeAllowed: 0 } });
    expect(full.problems.join()).toContain("idleMemory of 192Mi is exceeded: min 1 takes 96Mi, minScale of functions 288Mi; these are kept");
    await until(async () => (await first.instances()).filter((one) => one.function === "kept" && one.state === "warm").length === 3, "minScale is kept");
    await first.close();

    const second = await started(stateDir);
    expect(await poolOf(second)).toMatchObject({ chosenSize: 1, idleMemory: "192Mi" });
    type Stored = { inputs: SizingInputs & Record<"recent" | "hour", { depths: [number, number][] }>; decision: object };
    const { items } = await second.api.get<{ items: Stored[] }>("/v1/pools/node/decisions");
    const { inputs, decision } = items.at(-1) as Stored;
    const { recent, hour, memory } = inputs;
    expect(memory).toEqual({ limit: 192 * MIB, instance: 96 * MIB, reserved: 288 * MIB });
    const windows = { recent: { ...recent, depths: new Map(recent.depths) }, hour: { ...hour, depths: new Map(hour.depths) } };
    expect(chooseSize({ ...inputs, ...windows })).toEqual(decision);
    const back = await runCommand(["pool", "set", "node", "--idle-memory", "none", "--warm", "none"], { BERTH_URL: second.berth.manageUrl });
    expect(back.code).toBe(0);
    expect(await poolOf(second)).toMatchObject({ idleMemory: null, memory: null, problems: [] });
  },
  90_000,
);
