import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, poolMax: 6 });
});
afterAll(() => berth.close());

const pause = (paused: boolean) => berth.api.call("PATCH", "/v1/pools/node", { paused });
const says = (text: string) => `export default { fetch: () => new Response("${text}") };`;

test("a paused pool keeps what runs, and serves new revisions and functions from what is free", async () => {
  await berth.deploy("first", says("r1"));
  await berth.deploy("doomed", says("doomed"));
  for (const name of ["first", "doomed"]) await (await berth.invoke(name)).text();
  await berth.prewarmed(2);
  const before = (await berth.instances()).map(({ uid }) => uid);
  expect(await pause(true)).toMatchObject({ paused: true });
  await berth.api.call("DELETE", "/v1/functions/doomed");
  await berth.deploy("first", says("r2"));
  const response = await berth.invoke("first");
  expect([response.headers.get("x-berth-start"), await response.text()]).toEqual(["prewarmed", "r2"]);
  await berth.deploy("second", says("second"));
  expect(await (await berth.invoke("second")).text()).toBe("second");
  await sleep(1500);
  const kept = await berth.instances();
  expect(kept.map(({ uid }) => uid)).toEqual(expect.arrayContaining(before));
  expect(kept.filter(({ state }) => state === "draining")).toEqual([]);
  expect(kept.some(({ function: name, revision }) => name === "first" && revision === "r1")).toBe(true);
  await pause(false);
  await until(async () => {
    const rows = await berth.instances();
    return (
      rows.every(({ function: name, revision, state }) => state !== "draining" && (name !== "first" || revision === "r2")) && rows.length < kept.length + 1
    );
  }, "what was held back is done");
  const left = await berth.instances();
  expect(left.filter(({ state }) => state === "warm").every(({ function: name }) => name === "first" || name === "second")).toBe(true);
});
