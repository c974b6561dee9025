import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestBerth } from "../helpers/berth.ts";
import { directoryOf } from "../helpers/bundled.ts";
import { expectClean, launch, openTab, type Watched } from "./chromium.ts";

const GREET = (word: string) => `console.log("loaded ${word}");
export default { async fetch(request) {
  const { name } = await request.json();
  console.log("greets", name);
  console.error("quietly");
  return Response.json({ greeting: "${word} " + name });
} };`;

let berth: TestBerth;
let browser: Browser;
let tab: Watched;
let base: string;

beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, platform: "local" });
  base = berth.berth.manageUrl;
  browser = await launch();
  // The size that is refused, and the code that does not load.
  tab = await openTab(browser, base, {}, /\/v1\/pools\/node$|\/revisions\/r2\/load\?wait=\w+$/);
});
afterAll(async () => {
  await browser?.close();
  await berth?.close();
});

const pool = () => tab.page.getByRole("region", { name: "Pool node" });

test("shows the pool's instances as they become ready", async () => {
  await expect.poll(() => pool().locator(".tile.prewarmed").count(), { timeout: 30_000 }).toBe(2);
  expect(await tab.page.getByRole("status").innerText()).toBe("live");
});

test("a pool is resized, and a size that is refused says why", async () => {
  const { page } = tab;
  await page.getByRole("button", { name: "One more in pool node" }).click();
  await expect.poll(() => pool().locator(".tile.prewarmed").count(), { timeout: 30_000 }).toBe(3);
  const size = page.getByLabel("Size of pool node");
  await size.fill("900");
  await size.press("Enter");
  await pool().getByRole("alert").waitFor();
  expect(await pool().getByRole("alert").innerText()).toMatch(/POOL_TOO_LARGE.*900 instances/s);
  await size.fill("2");
  await pool().getByRole("button", { name: "Set" }).click();
  await expect.poll(() => pool().locator(".tile.prewarmed").count(), { timeout: 30_000 }).toBe(2);
  expect(await pool().getByRole("alert").count()).toBe(0);
});

test("a function that is deployed appears, is invoked, and its answer's phases are drawn", async () => {
  const { page } = tab;
  await page.getByRole("link", { name: "Pools" }).focus();
  await page.keyboard.press("2");
  await page.getByText("No function is deployed").waitFor();
  const form = page.getByRole("region", { name: "Deploy" });
  await form.getByLabel("Name of the function").fill("greet");
  await form.getByLabel("index.mjs").fill(GREET("hello"));
  await form.getByRole("button", { name: "Deploy" }).click();
  await form.getByText("serves r1").waitFor();
  await form.getByLabel("index.mjs").fill("export default { fetch( }");
  await form.getByRole("button", { name: "Deploy", exact: true }).click();
  await form.getByRole("alert").waitFor();
  expect(await form.getByRole("alert").innerText()).toMatch(/LOAD_FAILED.*r1 stays active.*SyntaxError/s);
  await page.getByRole("button", { name: "Close the form" }).click();
  await page.getByRole("row").getByRole("link", { name: "greet" }).click();
  await page.getByRole("button", { name: "Invoke", exact: true }).click();
  const answer = page.locator(".answer");
  await answer.waitFor();
  expect(await answer.locator("pre.body").innerText()).toContain('"greeting": "hello Ada"');
  expect(await answer.locator(".tag").innerText()).toBe("warm");
  expect(await answer.locator(".phasebar .bar i").count()).toBeGreaterThan(1);
  expect(await answer.locator("figcaption").innerText()).toMatch(/queue.*claim.*load.*run.*total/s);
});

test("its output is followed, and filtered by the call that it belongs to", async () => {
  const { page } = tab;
  const log = page.getByRole("log");
  await log.getByText("greets Ada").waitFor();
  expect(await log.locator(".line.err .message").first().innerText()).toBe("quietly");
  await berth.invoke("greet", { method: "POST", body: '{"name":"Grace"}' });
  await log.getByText("greets Grace").waitFor();
  await log.locator(".line", { hasText: "greets Grace" }).getByRole("button").click();
  await expect.poll(() => log.getByText("greets Ada").count()).toBe(0);
  await page.getByLabel("Filter logs").fill("");
});

test("statistics of its invocations arrive", async () => {
  const { page } = tab;
  await expect.poll(() => page.locator(".phases tr.total td.num").first().innerText(), { timeout: 15_000 }).toMatch(/\d m?s/);
  await page.locator(".uplot canvas").first().waitFor();
});

test("a rollout is watched, paused, resumed and undone", async () => {
  const { page } = tab;
  await berth.api.call("PATCH", "/v1/functions/greet", { rollout: { steps: ["50%"], interval: "1h" } });
  const code = await berth.upload(GREET("good day"));
  await berth.api.call("PATCH", "/v1/functions/greet", { code });
  const bar = page.locator(".rollout");
  await bar.getByText("rolling", { exact: true }).waitFor();
  await bar.getByRole("button", { name: "Pause" }).click();
  await bar.getByText("paused", { exact: true }).waitFor();
  await bar.getByRole("button", { name: "Resume" }).click();
  await bar.getByText("rolling", { exact: true }).waitFor();
  await bar.getByRole("button", { name: "Undo" }).click();
  await bar.getByText("undone", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Make r3 active" }).click();
  await expect.poll(async () => ((await berth.api.get("/v1/functions/greet")) as { revision: string }).revision).toBe("r3");
  await page.locator("tr.active", { hasText: "r3" }).waitFor();
});

test("a revision beside the active one shows its alias and the instances that are kept of it", async () => {
  const row = tab.page.locator("table.revisions tbody tr", { hasText: "r1" });
  await berth.api.call("PUT", "/v1/functions/greet/traffic", { aliases: { stable: "r1" }, minScales: { r1: 1 } });
  await row.getByText("keeps 1", { exact: true }).waitFor();
  await row.getByText("@stable", { exact: true }).waitFor();
  await berth.api.call("PUT", "/v1/functions/greet/traffic", { aliases: {} });
  await expect.poll(() => row.locator(".tag").count(), { timeout: 15_000 }).toBe(0);
});

test("a directory is deployed with the paths below it", async () => {
  const { page } = tab;
  const dir = directoryOf({
    "index.mjs": 'import { text } from "./lib/text.mjs"; export default { fetch: () => new Response(text) };',
    "lib/text.mjs": 'export const text = "of a directory";',
  });
  await page.getByRole("navigation").getByRole("link", { name: "Functions" }).click();
  await page.getByRole("button", { name: "Deploy a function" }).click();
  const form = page.getByRole("region", { name: "Deploy" });
  await form.getByLabel("Name of the function").fill("whole");
  await form.getByLabel("Directory").setInputFiles(dir);
  await form.getByRole("button", { name: "Deploy", exact: true }).click();
  await form.getByText("serves r1").waitFor();
  expect(await (await berth.invoke("whole")).text()).toBe("of a directory");
});

test("a failure is told: in the events, beside the function, and on its page", async () => {
  const { page } = tab;
  await berth.deploy("broken", "throw new Error('no luck');", { minScale: 1 });
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: /^Events/ }).click();
  await page
    .getByRole("row", { name: /instance\.load-failed.*broken.*no luck/ })
    .first()
    .waitFor();
  await page.getByLabel("failures only").check();
  await page.getByLabel("Filter events").fill("nothing like it");
  await page.getByText("No event matches.").waitFor();
  await page.getByRole("navigation").getByRole("link", { name: "Functions" }).click();
  await page
    .getByRole("row", { name: /broken/ })
    .getByText(/problem/)
    .waitFor();
});

test("the map is walked by keyboard, and the instance that has the focus is told in full", async () => {
  const { page } = tab;
  await page.keyboard.press("1");
  await pool().locator(".tile").first().focus();
  await page.keyboard.press("ArrowRight");
  const id = await pool().locator(".tile[aria-pressed=true]").getAttribute("title");
  expect(await page.getByRole("complementary", { name: "Instance" }).locator(".id").innerText()).toBe(id?.split(" · ").at(-1));
});

test("nothing of it raised an error, broke the policy or asked another server", () => {
  expectClean(tab, base);
});
