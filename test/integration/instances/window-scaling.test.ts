import { afterEach, describe, expect, test } from "vitest";
import { TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
afterEach(() => berth.close());

const SLOW = "export default { async fetch() { await new Promise((r) => setTimeout(r, 200)); return new Response(String(process.pid)); } };";

interface View {
  scaling: object | null;
  windows: { stable: number; panic: number; panicking: boolean; wanted: number } | null;
  instances: { warm: number };
}

const view = (name: string) => berth.api.get<View>(`/v1/functions/${name}`);

/** Calls a function by so many loops, until the returned function is called. */
function load(name: string, callers: number): () => Promise<void> {
  let stopped = false;
  const caller = async () => {
    while (!stopped) expect((await berth.invoke(name)).status).toBe(200);
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  all.catch(() => {});
  return async () => {
    stopped = true;
    await all;
  };
}

describe("scaling by windows", () => {
  test("starts at once, keeps headroom, shows its windows, and goes down to one and to none", async () => {
    berth = await TestBerth.start({ poolSize: 2 });
    await berth.prewarmed(2);
    const scaling = { window: "3s", target: 50 };
    await berth.deploy("paced", SLOW, { concurrency: 2, scaling, idleTimeout: "4s" });
    expect(await view("paced")).toMatchObject({ scaling: { window: "3s", target: 50, scaleDownDelay: "0ms", activationScale: 1, maxScaleUpRate: 1000 } });
    const stop = load("paced", 4);
    // Four at a time at half of a concurrency of two: four instances, of which the present demand takes two.
    await until(async () => (await view("paced")).instances.warm >= 4, "the headroom is there", 10_000);
    await until(async () => ((await view("paced")).windows?.stable ?? 0) > 2, "the window shows the load", 10_000);
    expect((await view("paced")).windows?.wanted).toBeGreaterThanOrEqual(3);
    await stop();
    const idleSince = Date.now();
    await until(async () => (await view("paced")).instances.warm <= 1, "down to one", 20_000);
    const alone = Date.now() - idleSince;
    await until(async () => (await view("paced")).instances.warm === 0, "down to none", 20_000);
    expect(Date.now() - idleSince).toBeGreaterThan(4000);
    expect(alone).toBeLessThan(Date.now() - idleSince);
    expect((await berth.invoke("paced")).status).toBe(200);
  }, 90_000);

  test("begins and ends with a change, without a new revision; its commands say so", async () => {
    berth = await TestBerth.start({ poolSize: 1 });
    await berth.deploy("changed", SLOW, { concurrency: 2 });
    expect(await view("changed")).toMatchObject({ scaling: null, windows: null });
    await berth.api.call("PATCH", "/v1/functions/changed", { scaling: { window: "2s", activationScale: 2 } });
    await berth.invoke("changed");
    await until(async () => (await view("changed")).instances.warm === 2, "as many as its activation scale");
    expect(await view("changed")).toMatchObject({ revision: "r1", windows: { panicking: expect.any(Boolean) } });
    await berth.api.call("PATCH", "/v1/functions/changed", { scaling: null });
    await until(async () => (await view("changed")).windows === null, "its windows are dropped");
    expect(await view("changed")).toMatchObject({ revision: "r1", scaling: null });
    const refused = berth.api.call("PATCH", "/v1/functions/changed", { scaling: { activationScale: 30 } });
    await expect(refused).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
      message: expect.stringContaining("scaling.activationScale: 30 is above maxScale 20"),
    });
  });
});
