import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { FunctionAdviceAnswer, PoolAdviceAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { chooseSize, type SizingDecision, type SizingInputs } from "../../../pool-manager/pool/sizing/choose-size.ts";
import type { ClaimWindow } from "../../../pool-manager/pool/sizing/needed-size.ts";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";

let berth: TestBerth | null = null;

afterEach(async () => {
  await berth?.close();
  berth = null;
});

interface Pool {
  size: number | "auto";
  chosenSize: number;
  targetHit: number;
  min: number;
  sizing: { reason: string; wanted: number } | null;
}
type StoredWindow = Omit<ClaimWindow, "depths"> & { depths: [number, number][] };
interface StoredDecision {
  inputs: Omit<SizingInputs, "recent" | "hour"> & Record<"recent" | "hour", StoredWindow>;
  decision: SizingDecision;
}

const asWindow = (window: StoredWindow): ClaimWindow => ({ ...window, depths: new Map(window.depths) });
const poolOf = (on: TestBerth) => on.api.get<Pool>("/v1/pools/node");
const adviceOf = (on: TestBerth) => on.api.get<PoolAdviceAnswer>("/v1/pools/node/advice");

async function started(stateDir: string): Promise<TestBerth> {
  berth = await TestBerth.start({ stateDir, poolSize: 1 });
  return berth;
}

test("a pool of size auto records claims, explains its size, and keeps both over a restart", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const first = await started(stateDir);
  await first.api.call("PATCH", "/v1/pools/node", { size: "auto", targetHit: 0.9, min: 2, max: 6 });
  await first.prewarmed(2);
  for (const name of ["a", "b", "c"]) await first.deploy(name, ECHO);
  const statuses = await Promise.all(["a", "b", "c"].map(async (name) => (await first.invoke(name)).status));
  expect(statuses).toEqual([200, 200, 200]);
  await until(async () => (await adviceOf(first)).claims === 3, "the claims are recorded");

  const before = await adviceOf(first);
  expect(before.hits + before.misses).toBe(3);
  expect(before.sizes.map(({ size }) => size)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(before.sizes.at(-1)).toMatchObject({ size: 6, hits: 3, hit: 1 });
  expect(before.functions.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
  expect(before.text.join("\n")).toContain("3 claims");
  const own = await first.api.get<FunctionAdviceAnswer>("/v1/functions/a/advice?window=24h");
  expect(own).toMatchObject({ function: "a", window: "24h", claims: 1, minScale: 0 });
  expect(await poolOf(first)).toMatchObject({ size: "auto", targetHit: 0.9, min: 2, sizing: { reason: expect.any(String) } });

  await first.close();
  const second = await started(stateDir);
  expect(await adviceOf(second)).toMatchObject({ claims: 3, hits: before.hits, misses: before.misses });
  expect(await poolOf(second)).toMatchObject({ size: "auto", targetHit: 0.9, min: 2 });

  const { items } = await second.api.get<{ items: StoredDecision[] }>("/v1/pools/node/decisions");
  expect(items.length).toBeGreaterThan(0);
  for (const { inputs, decision } of items) {
    expect(chooseSize({ ...inputs, recent: asWindow(inputs.recent), hour: asWindow(inputs.hour) })).toEqual(decision);
  }
});

test("a damaged history is set aside, and everything else is there", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const first = await started(stateDir);
  await first.deploy("a", ECHO);
  await first.invoke("a");
  await until(async () => (await adviceOf(first)).claims > 0, "the claim is recorded");
  await first.close();

  const file = join(stateDir, "history", "node.json");
  writeFileSync(file, readFileSync(file, "utf8").slice(0, -20));
  const second = await started(stateDir);
  expect(await adviceOf(second)).toMatchObject({ claims: 0 });
  expect((await second.invoke("a")).status).toBe(200);
  expect(readdirSync(join(stateDir, "set-aside")).map((name) => name.replace(/\.\d.*$/, ""))).toEqual(["history-node.json"]);
});

test("contradictory bounds are refused, each with its field, and the pool stays as it is", async () => {
  const on = await started(mkdtempSync(join(tmpdir(), "berth-test-")));
  const before = await poolOf(on);
  const refused = [
    [{ size: "auto", min: 5, max: 3 }, "POOL_INVALID", "min"],
    [{ size: 2, targetHit: 0.9 }, "POOL_INVALID", "targetHit"],
    [{ size: "auto", targetHit: 1 }, "BODY_INVALID", "targetHit"],
    [{ size: "automatic" }, "BODY_INVALID", "size"],
    [{ size: -1 }, "BODY_INVALID", "size"],
  ] as const;
  for (const [change, code, field] of refused) {
    const response = await fetch(`${on.berth.manageUrl}/v1/pools/node`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(change),
    });
    expect([response.status, ((await response.json()) as { error: object }).error]).toEqual([400, expect.objectContaining({ code, field })]);
  }
  expect(await poolOf(on)).toEqual(before);
});

test("the commands set, show and explain a size of auto, and take it back", async () => {
  const on = await started(mkdtempSync(join(tmpdir(), "berth-test-")));
  const run = (...args: string[]) => runCommand(args, { BERTH_URL: on.berth.manageUrl });
  const set = await run("pool", "set", "node", "--size", "auto", "--target-hit", "0.9", "--min", "2", "--max", "5");
  expect(set).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("sizes itself between 2 and 5, so that 90 % of the claims find a free instance; now 2"),
  });
  await on.deploy("a", ECHO);
  await on.invoke("a");
  await until(async () => (await adviceOf(on)).claims > 0, "the claim is recorded");
  const list = await run("pool", "list");
  expect([list.stdout, list.stderr]).toEqual([expect.stringMatching(/node +auto \(now \d\) +5/), expect.stringContaining("pool node: ")]);
  expect((await run("pool", "get", "node")).stdout).toMatch(/size +auto \(now \d\)/);
  const advice = await run("pool", "advise", "node");
  expect(advice.stdout).toMatch(/1 claim, [\d.]+ a minute.*recommended: \d.*most claims come from a 100 %.*SIZE +HIT/s);
  expect(JSON.parse((await run("pool", "advise", "node", "--window", "24h", "-o", "json")).stdout)).toMatchObject({ window: "24h", claims: 1 });
  expect((await run("advise", "a")).stdout).toMatch(/1 start: .*MINSCALE +STARTS/s);
  const mistakes = [
    ["pool", "advise", "node", "--window", "2h"],
    ["pool", "set", "node", "--size", "automatic"],
    ["pool", "set", "node", "--target-hit", "99"],
  ];
  for (const args of mistakes) expect((await run(...args)).code, args.join(" ")).toBe(2);
  expect(await run("pool", "set", "node", "--min", "9")).toMatchObject({ stderr: expect.stringContaining("POOL_INVALID: min: 9 is above max 5") });
  expect((await run("advise", "nobody")).stderr).toContain("FUNCTION_NOT_FOUND");
  expect((await run("pool", "set", "node", "--size", "3")).stderr).toContain("keeps 3 free, at most 5 in all");
}, 120_000);
