import { afterEach, describe, expect, test } from "vitest";
import { ECHO, ON_CLUSTER, sleep, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
afterEach(() => berth.close());

const SLOW =
  "import { hostname } from 'node:os'; export default { async fetch() { await new Promise((r) => setTimeout(r, 300)); return new Response(process.pid + '@' + hostname()); } };";

const serving = async (name: string) => (await berth.instances()).filter((instance) => instance.function === name && instance.state !== "draining");

describe("scaling", () => {
  test("1 and then 100 requests at concurrency 100 take one instance", async () => {
    berth = await TestBerth.start({ poolSize: 3 });
    await berth.prewarmed(3);
    await berth.deploy("burst", SLOW.replace("300", "100"), { concurrency: 100 });
    const all = [berth.invoke("burst")];
    await sleep(5);
    for (let i = 0; i < 100; i++) all.push(berth.invoke("burst"));
    const pids = new Set(await Promise.all(all.map(async (response) => (await response).text())));
    expect(pids.size).toBe(1);
  });

  test("100 requests, one each 5 ms, at concurrency 100 take one instance", async () => {
    berth = await TestBerth.start({ poolSize: 3 });
    await berth.prewarmed(3);
    await berth.deploy("steady", SLOW, { concurrency: 100 });
    const all: Promise<string>[] = [];
    for (let i = 0; i < 101; i++) {
      all.push(berth.invoke("steady").then((response) => response.text()));
      await sleep(5);
    }
    expect(new Set(await Promise.all(all)).size).toBe(1);
  });

  test("concurrency 1 gets an instance for each, within maxScale", async () => {
    berth = await TestBerth.start({ poolSize: 3 });
    await berth.prewarmed(3);
    await berth.deploy("single", SLOW, { concurrency: 1, maxScale: 3 });
    const pids = await Promise.all(Array.from({ length: 9 }, async () => (await berth.invoke("single")).text()));
    expect(new Set(pids).size).toBeGreaterThan(1);
    expect(new Set(pids).size).toBeLessThanOrEqual(3);
  });

  test("idle instances go down to minScale, and minScale is kept without demand", async () => {
    berth = await TestBerth.start({ poolSize: 2 });
    await berth.deploy("idle", SLOW, { concurrency: 1, idleTimeout: "500ms", minScale: 1 });
    await until(async () => (await serving("idle")).length === 1, "one is started without demand");
    await berth.prewarmed(2);
    const pids = await Promise.all(Array.from({ length: 6 }, async () => (await berth.invoke("idle")).text()));
    expect(new Set(pids).size).toBeGreaterThan(1);
    await until(async () => (await serving("idle")).length === 1, "down to one");
    await berth.api.call("PATCH", "/v1/functions/idle", { minScale: 0 });
    await until(async () => (await serving("idle")).length === 0, "down to zero");
    expect((await berth.invoke("idle")).status).toBe(200);
  });

  test("the pool follows its size", async () => {
    berth = await TestBerth.start({ poolSize: 1 });
    await berth.prewarmed(1);
    await berth.api.call("PATCH", "/v1/pools/node", { size: 3 });
    await berth.prewarmed(3);
    await berth.api.call("PATCH", "/v1/pools/node", { size: 1 });
    await until(async () => (await berth.instances()).length === 1, "the surplus is removed", 15_000);
  });

  test("an instance whose process is killed is replaced", async () => {
    berth = await TestBerth.start({ poolSize: 1 });
    await berth.deploy("victim", `${ECHO}\nsetTimeout(() => process.kill(process.pid, "SIGKILL"), 1500);`);
    const { id } = (await (await berth.invoke("victim")).json()) as { id: string };
    await until(async () => (await serving("victim")).length === 0, "it is seen");
    expect(((await (await berth.invoke("victim")).json()) as { id: string }).id).not.toBe(id);
  });
});

/** Each takes a third of a second: `npm test` has 40 of them, CI runs 300. */
const FUNCTIONS = Number(process.env.BERTH_TEST_FUNCTIONS ?? 40);
const MANY = ON_CLUSTER ? { functions: 24, size: 2, max: 6 } : { functions: FUNCTIONS, size: 4, max: 12 };

test(`${MANY.functions} functions on size ${MANY.size}, max ${MANY.max} are each invoked, with at most ${MANY.max} instances alive`, async () => {
  berth = await TestBerth.start({ poolSize: MANY.size, poolMax: MANY.max });
  await berth.api.call("PATCH", "/v1/pools/node", { budget: { actions: 100, windowMs: 1000 } });
  const code = await berth.upload("export default { fetch: (request, env) => new Response(env.WHO) };");
  const names = Array.from({ length: MANY.functions }, (_, i) => `f${i}`);
  for (const name of names) await berth.api.call("PUT", `/v1/functions/${name}`, { code, env: { WHO: name } });
  let most = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      // A pod whose processes have ended is listed until its node has confirmed that.
      const alive = (await berth.instances()).filter(({ obstacle }) => obstacle !== "ended");
      most = Math.max(most, alive.length);
      await sleep(40);
    }
  })();
  const open = [...names];
  const answers = new Map<string, string>();
  const worker = async () => {
    for (let name = open.pop(); name; name = open.pop()) answers.set(name, await (await berth.invoke(name)).text());
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  watching = false;
  await watch;
  expect([...answers].filter(([name, answer]) => name !== answer)).toEqual([]);
  expect(answers.size).toBe(MANY.functions);
  expect(most).toBeLessThanOrEqual(MANY.max);
}, 150_000);
