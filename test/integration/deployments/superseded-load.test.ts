import { afterAll, beforeAll, expect, test } from "vitest";
import { PATIENCE, TestBerth, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { runCommand } from "../../helpers/command.ts";

/** Far below the load timeout of code that hangs. */
const SOON_MS = 20_000 * PATIENCE;

let berth: TestBerth;
beforeAll(async () => {
  // One place alone: a load that goes on would leave none for its correction.
  berth = await TestBerth.start({ poolSize: 1, poolMax: 1 });
});
afterAll(() => berth.close());

const run = (...args: string[]) => runCommand(args, { BERTH_URL: berth.berth.manageUrl });
const says = (text: string) => directoryOf({ "index.mjs": `export default { fetch: () => new Response(${JSON.stringify(text)}) };` });
const deploy = (from: string) => run("deploy", "f", "--from", from, "--load-timeout", "5m", "--no-wait");

test.each([
  ["waits for ever", "await new Promise(() => {});", [200]],
  // Its process can refuse nothing, so that an invocation that it has been sent ends with it.
  ["keeps its processor busy for ever", "for (;;);", [200, 502]],
])("the revision that follows code which %s is served at once", { timeout: 90_000 }, async (_what, hanging, allowed) => {
  expect((await deploy(says("old"))).code).toBe(0);
  await until(async () => (await (await berth.invoke("f")).text()) === "old", "the old revision answers");
  expect((await deploy(directoryOf({ "index.mjs": `${hanging} export default { fetch: () => new Response("never") };` }))).code).toBe(0);
  const from = performance.now();
  const parked = berth.invoke("f");
  expect((await deploy(says("corrected"))).code).toBe(0);
  await until(async () => (await (await berth.invoke("f")).text()) === "corrected", "the corrected revision answers", 20_000);
  expect(allowed).toContain((await parked).status);
  expect(performance.now() - from).toBeLessThan(SOON_MS);
  expect((await run("delete", "f")).code).toBe(0);
});
