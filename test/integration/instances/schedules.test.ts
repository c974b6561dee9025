import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";

const ALWAYS = "daily 00:00-24:00 UTC";
const NOW = "the schedule daily 00:00-24:00 UTC";
/** Processes start in each part, and the pool is refilled one by one. */
const WAIT_MS = 40_000;

let berth: TestBerth | null = null;

afterEach(async () => {
  await berth?.close();
  berth = null;
});

async function started(stateDir: string): Promise<TestBerth> {
  berth = await TestBerth.start({ stateDir, poolSize: 1 });
  return berth;
}

const free = async (on: TestBerth) => (await on.instances()).filter(({ state }) => state === "prewarmed").length;
const temporary = () => mkdtempSync(join(tmpdir(), "berth-test-"));

test("a pool and a function have the instances of their schedules, after a restart too, and not without them", async () => {
  const stateDir = temporary();
  const first = await started(stateDir);
  await first.deploy("a", ECHO, { warm: [`${ALWAYS}=1`] });
  await first.api.call("PATCH", "/v1/pools/node", { warm: [`${ALWAYS}=2`] });
  await until(async () => (await free(first)) === 2, "the pool has its instances", WAIT_MS);
  const warm = async (on: TestBerth) => (await on.api.get<{ instances: { warm: number } }>("/v1/functions/a")).instances.warm;
  await until(async () => (await warm(first)) === 1, "the function has its instances", WAIT_MS);
  await first.close();

  const second = await started(stateDir);
  await until(async () => (await free(second)) === 2, "the pool has them again", WAIT_MS);
  await until(async () => (await warm(second)) === 1, "the function has them again", WAIT_MS);
  expect(await second.api.get("/v1/pools/node")).toMatchObject({ size: 1, chosenSize: 2, scheduled: { instances: 2, until: null } });
  await second.api.call("PATCH", "/v1/pools/node", { warm: [] });
  await until(async () => (await second.api.get<{ chosenSize: number }>("/v1/pools/node")).chosenSize === 1, "the schedule has ended");
}, 180_000);

test("the commands set, show and take away schedules, and refuse wrong ones", async () => {
  const on = await started(temporary());
  const run = (...args: string[]) => runCommand(args, { BERTH_URL: on.berth.manageUrl });
  await on.deploy("a", ECHO);
  expect(await run("pool", "set", "node", "--warm", `${ALWAYS}=2`, "--warm", "Mon 08:00-09:00 UTC=1")).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(new RegExp(`keeps 1 free, at most \\d+ in all; now 2 by ${NOW}`)),
  });
  expect((await run("scale", "a", "--warm", `${ALWAYS}=1`)).stderr).toContain(`a has 0 to 20 instances; now 1 by ${NOW}`);
  const [pools, functions] = [await run("pool", "list"), await run("list")];
  expect([pools.stdout, pools.stderr]).toEqual([expect.stringMatching(/node +1 \(now 2\)/), expect.stringContaining(`pool node: 2 by ${NOW}`)]);
  expect(functions.stderr).toContain(`a: 1 by ${NOW}`);
  expect((await run("pool", "advise", "node")).stdout).toContain(`at least 2 are kept by ${NOW}`);
  const mistakes = [
    [["pool", "set", "node", "--warm", "Mon-Fry 08:00-19:00 Europe/Berlin=2"], '"Fry" is no weekday'],
    [["pool", "set", "node", "--max", "2", "--warm", `${ALWAYS}=3`], "keeps 3 instances, and max is 2"],
    [["scale", "a", "--warm", "Mon-Fri 08:00-19:00 Berlin=2"], "did you mean Europe/Berlin?"],
  ] as const;
  for (const [args, message] of mistakes) expect((await run(...args)).stderr).toMatch(new RegExp(`SCHEDULE_INVALID: warm: .*${message.replace("?", "\\?")}`));
  expect(await on.api.get("/v1/pools/node")).toMatchObject({ warm: [`${ALWAYS}=2`, "Mon 08:00-09:00 UTC=1"] });
  expect((await run("pool", "set", "node", "--warm", "none")).code).toBe(0);
  expect((await run("scale", "a", "--warm", "none")).stderr).toContain("a has 0 to 20 instances\n");
  expect(await on.api.get("/v1/pools/node")).toMatchObject({ warm: [], scheduled: null });
}, 120_000);
