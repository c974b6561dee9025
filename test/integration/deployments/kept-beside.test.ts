import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, poolMax: 6 });
});
afterAll(() => berth.close());

const says = (text: string) => `export default { async fetch() { return new Response("${text}"); } };`;
const traffic = (name: string, body: object) => berth.api.call("PUT", `/v1/functions/${name}/traffic`, body);
const refusal = (name: string, body: object) => traffic(name, body).catch(({ code, message }) => ({ code, message }));

test("kept instances of a revision beside the active one serve its first invocation at once, are shown, and end with its share", async () => {
  await berth.deploy("kept", says("old"), { idleTimeout: "500ms" });
  await berth.deploy("kept", says("new"), { idleTimeout: "500ms", canary: 0 });
  expect(await traffic("kept", { minScales: { r2: 1 } })).toMatchObject({ revision: "r1", minScale: 0, split: { r2: 0 }, minScales: { r2: 1 } });
  const own = async () =>
    (await berth.instances()).filter((row) => row.function === "kept" && row.state !== "draining").map((row) => `${row.revision} ${row.state}`);
  await until(async () => (await own()).join() === "r2 warm", "one is kept of the canary, and none of the active revision");
  await sleep(1500);
  expect(await own()).toEqual(["r2 warm"]);
  const first = await berth.invoke("kept@r2");
  expect([first.headers.get("x-berth-start"), await first.text()]).toEqual(["warm", "new"]);
  // Settings of the function change neither share nor number, unless they leave no room for it.
  expect(await berth.api.call("PATCH", "/v1/functions/kept", { maxScale: 2 })).toMatchObject({ minScales: { r2: 1 } });
  expect(await refusal("kept", { minScales: { r2: 3 } })).toEqual({
    code: "TRAFFIC_INVALID",
    message: expect.stringContaining("minScales.r2: 3 is above maxScale 2"),
  });
  expect(await refusal("kept", { minScales: { r1: 1 } })).toEqual({
    code: "TRAFFIC_INVALID",
    message: expect.stringContaining("r1 has neither a share nor an alias"),
  });
  expect(await refusal("kept", { minScales: { r9: 1 } })).toMatchObject({ code: "REVISION_NOT_FOUND" });
  expect(await refusal("kept", { minScale: { r2: 1 } })).toMatchObject({ message: expect.stringContaining("did you mean minScales?") });
  await traffic("kept", { aliases: { next: "r2" }, split: {} });
  expect(await berth.api.get("/v1/functions/kept")).toMatchObject({ split: {}, aliases: { next: "r2" }, minScales: { r2: 1 } });
  expect(await traffic("kept", { aliases: {} })).toMatchObject({ minScales: {} });
  await until(async () => (await own()).length === 0, "none is kept without share and alias");
});
