import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Outcome, openLoop } from "../../../bench/driver.ts";
import { ON_CLUSTER, PATIENCE, sleep, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, poolMax: 12 });
});
afterAll(() => berth.close());
// Their instances are the next one's room.
afterEach(async () => {
  const { items } = await berth.api.get<{ items: { name: string }[] }>("/v1/functions");
  for (const { name } of items) await berth.api.call("DELETE", `/v1/functions/${name}`);
});

interface Rollout {
  from: string;
  to: string;
  state: string;
  percent: number;
  watching: boolean;
  reason: string | null;
}

const says = (text: string) => `export default { async fetch() { await new Promise((done) => setTimeout(done, 10)); return new Response("${text}"); } };`;
const status = (name: string) => berth.api.get<Rollout>(`/v1/functions/${name}/rollout`);
const steer = (name: string, verb: string) => berth.api.call("POST", `/v1/functions/${name}/rollout/${verb}`) as Promise<Rollout>;
const own = async (name: string) => (await berth.instances()).filter((row) => row.function === name && row.state !== "draining" && row.state !== "gone");
const uids = async (name: string) => (await own(name)).map(({ uid }) => uid).sort();
const reaches = (name: string, state: string) => until(async () => (await status(name)).state === state, `${name} is ${state}`, 30_000);

/** Invokes at 50/s until it is told to end; everything but 200 is told. */
function load(name: string): { end(): Promise<{ sent: number; failed: string[]; answers: string[] }> } {
  let over = false;
  const failed: string[] = [];
  const answers: string[] = [];
  let sent = 0;
  const onOutcome = ({ status, error, body }: Outcome) => (status === 200 ? answers.push(body) : failed.push(`${status} ${error ?? ""} ${body}`.slice(0, 200)));
  const running = (async () => {
    while (!over) {
      await openLoop({ rate: 50, count: 25, seed: ++sent, shot: () => ({ url: `${berth.berth.invokeUrl}/function/${name}` }), onOutcome });
    }
  })();
  return {
    async end() {
      over = true;
      await running;
      return { sent: sent * 25, failed, answers };
    },
  };
}

async function deployed(name: string, rollout: object, manifest: object = {}): Promise<string[]> {
  const { minScale = 4 } = manifest as { minScale?: number };
  await berth.deploy(name, says("old"), { minScale, maxScale: minScale || 2, concurrency: 5, rollout: { interval: "400ms", ...rollout }, ...manifest });
  await until(async () => (await own(name)).filter(({ state }) => state === "warm").length === minScale, `${minScale} are warm`, 20_000);
  return uids(name);
}

/** A changed revision of a function; the rest of its manifest stays. */
async function change(name: string, source: string): Promise<void> {
  await berth.api.call("PATCH", `/v1/functions/${name}`, { code: await berth.upload(source) });
}

describe("a rollout", () => {
  test("moves the function's own instances, one at a time; shares of invocations and of instances agree; nothing fails", async () => {
    const before = await deployed("stepwise", { steps: [1, "50%"], parallel: 1, interval: "800ms" });
    const invoking = load("stepwise");
    await change("stepwise", says("new"));
    const seen: { percent: number; moved: number; changing: number; watching: boolean }[] = [];
    for (let now = await status("stepwise"); now.state === "rolling"; ) {
      const { percent, watching } = now;
      const rows = await own("stepwise");
      now = await status("stepwise");
      // Both describe the same moment only if the rollout did not progress between them.
      if (now.percent === percent && now.watching === watching) {
        const moved = rows.filter(({ revision, state }) => revision === "r2" && state === "warm").length;
        seen.push({ percent, moved, watching, changing: rows.filter(({ state }) => state === "specializing").length });
      }
      await sleep(20);
    }
    const { failed, answers, sent } = await invoking.end();
    process.stdout.write(`${sent} invocations during a rollout: ${failed.length} failed\n`);
    expect(failed).toEqual([]);
    expect(await status("stepwise")).toMatchObject({ from: "r1", to: "r2", state: "complete", percent: 100 });
    expect(Math.max(...seen.map(({ changing }) => changing))).toBeLessThanOrEqual(1);
    const watched = new Set(seen.filter(({ watching }) => watching).map(({ percent, moved }) => `${percent} percent, ${moved} instances`));
    expect([...watched]).toEqual(["25 percent, 1 instances", "50 percent, 2 instances", "100 percent, 4 instances"]);
    expect(await uids("stepwise")).toEqual(before);
    expect(new Set(answers.slice(-10))).toEqual(new Set(["new"]));
    expect(await berth.api.get("/v1/functions/stepwise")).toMatchObject({ revision: "r2", split: {} });
  }, 60_000);

  test("stops by itself where the new revision does not load: no invocation ever reaches it", async () => {
    const before = await deployed("broken", { steps: ["50%"] });
    const invoking = load("broken");
    await change("broken", "throw new Error('no such module')");
    await reaches("broken", "stopped");
    expect((await status("broken")).reason).toContain("no such module");
    const { failed, answers } = await invoking.end();
    expect(failed).toEqual([]);
    expect(new Set(answers)).toEqual(new Set(["old"]));
    await until(async () => (await own("broken")).filter(({ revision, state }) => revision === "r1" && state === "warm").length === 4, "all are back", 20_000);
    // The one that has failed is replaced, the others were never touched.
    expect((await uids("broken")).filter((uid) => before.includes(uid)).length).toBeGreaterThanOrEqual(3);
    // A change of its scale alone begins nothing.
    expect(await berth.api.call("PATCH", "/v1/functions/broken", { maxScale: 7 })).toMatchObject({ revision: "r1", rolling: { state: "stopped" } });
  }, 60_000);

  test("stops by itself where too many invocations of the new revision fail", async () => {
    const before = await deployed("failing", { steps: ["25%"], interval: "20s", maxErrors: 10 });
    const invoking = load("failing");
    await change("failing", "export default { fetch: () => new Response('', { status: Math.random() < 0.5 ? 200 : 500 }) };");
    await reaches("failing", "stopped");
    expect((await status("failing")).reason).toMatch(/^\d+ of \d+ invocations of r2 failed \(maxErrors 10 percent\)$/);
    const { failed } = await invoking.end();
    // It had a quarter of them, and was stopped by the twentieth or a little later.
    expect(failed.length).toBeGreaterThan(2);
    expect(failed.length).toBeLessThan(60 * PATIENCE);
    await until(async () => (await own("failing")).every(({ revision, state }) => revision === "r1" && state === "warm"), "all are back", 20_000);
    expect(await uids("failing")).toEqual(before);
  }, 60_000);

  test("is paused where it is, resumed and undone; its shares are nobody else's meanwhile", async () => {
    const before = await deployed("steered", { steps: ["25%", "75%"], interval: "10s" });
    await change("steered", says("new"));
    await until(async () => (await status("steered")).watching, "the first step is reached", 20_000);
    expect(await steer("steered", "pause")).toMatchObject({ state: "paused", percent: 25 });
    const refused = await berth.api.call("PUT", "/v1/functions/steered/traffic", { split: { r2: 50 } }).catch(({ code }) => code);
    expect(refused).toBe("ROLLOUT_RUNNING");
    await berth.api.call("PATCH", "/v1/functions/steered", { rollout: { interval: "200ms" } });
    await sleep(1000);
    expect(await status("steered")).toMatchObject({ state: "paused", percent: 25 });
    await steer("steered", "resume");
    await until(async () => (await status("steered")).percent >= 75, "the second step", 20_000);
    expect(await steer("steered", "undo")).toMatchObject({ state: "undone", percent: 0, reason: "undone by hand" });
    for (let i = 0; i < 10; i++) expect(await (await berth.invoke("steered")).text()).toBe("old");
    await until(async () => (await own("steered")).every(({ revision, state }) => revision === "r1" && state === "warm"), "all are back", 20_000);
    expect(await uids("steered")).toEqual(before);
    expect(await steer("steered", "undo").catch(({ code }) => code)).toBe("ROLLOUT_OVER");
    expect(await berth.api.get("/v1/functions/hello/rollout").catch(({ code }) => code)).toMatch(/_NOT_FOUND|ROLLOUT_OVER/);
  }, 90_000);

  test("of a function without an instance tries the new revision on one before any invocation gets there", async () => {
    await deployed("asleep", { steps: ["50%"] }, { minScale: 0 });
    await change("asleep", "throw new Error('never loads')");
    await reaches("asleep", "stopped");
    expect(await (await berth.invoke("asleep")).text()).toBe("old");
    await change("asleep", says("new"));
    await reaches("asleep", "complete");
    expect(await (await berth.invoke("asleep")).text()).toBe("new");
  }, 60_000);
});

/** Each takes about a second: `npm test` has some, CI runs 100. */
const ROUNDS = Number(process.env.BERTH_TEST_ROLLOUTS ?? (ON_CLUSTER ? 100 : 2));

test(`${ROUNDS} rollouts and undos in a row under open-loop load: no invocation fails, the instances stay`, async () => {
  const before = await deployed("restless", { steps: ["50%"], interval: 0, parallel: 2 }, { minScale: 3 });
  const invoking = load("restless");
  for (let round = 1; round <= ROUNDS; round++) {
    await change("restless", says(`revision ${round}`));
    // Every other one is undone, each a little later than the one before.
    if (round % 2 === 0) {
      await sleep((round * 13) % 500);
      await steer("restless", "undo").catch(({ code }) => expect(code).toBe("ROLLOUT_OVER"));
    } else await reaches("restless", "complete");
  }
  const { sent, failed } = await invoking.end();
  process.stdout.write(`${sent} invocations during ${ROUNDS} rollouts and undos: ${failed.length} failed\n`);
  expect(failed).toEqual([]);
  await until(
    async () => {
      const { revision } = await berth.api.get<{ revision: string }>("/v1/functions/restless");
      return (await own("restless")).every((row) => row.revision === revision && row.state === "warm");
    },
    "all have the active revision",
    30_000,
  );
  expect(await uids("restless")).toEqual(before);
}, 900_000);
