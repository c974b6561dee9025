import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestBerth } from "../helpers/berth.ts";
import { expectClean, launch, openTab, type Watched } from "./chromium.ts";

const CLAIMS = 4;

let berth: TestBerth;
let browser: Browser;
let tab: Watched;

beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1, platform: "local" });
  browser = await launch();
  tab = await openTab(browser, berth.berth.manageUrl);
  // New functions one after the other, each on a pool that may not be full again: some are hits, some are misses.
  for (let i = 0; i < CLAIMS; i++) {
    await berth.deploy(`new-${i}`, "export default { fetch: () => new Response('here') };");
    expect((await berth.invoke(`new-${i}`)).status).toBe(200);
  }
});
afterAll(async () => {
  await browser?.close();
  await berth?.close();
});

const pool = () => tab.page.getByRole("region", { name: "Pool node", exact: true });
const advice = () => tab.page.getByRole("region", { name: "Advice for pool node" });
const size = async () => (await berth.api.get<{ size: number | "auto" }>("/v1/pools/node")).size;

test("advice says in words and draws what other sizes would have hit, and names the functions that claim", async () => {
  await pool().getByRole("button", { name: "Advice" }).click();
  await expect.poll(() => advice().innerText(), { timeout: 20_000 }).toContain(`${CLAIMS} claims`);
  expect(await advice().locator("canvas").count()).toBe(1);
  expect(await advice().getByRole("listitem").count()).toBe(CLAIMS);
  await advice().getByRole("button", { name: "Last day" }).click();
  await expect.poll(() => advice().getByRole("button", { name: "Last day" }).getAttribute("aria-pressed")).toBe("true");
});

test("a pool is told to size itself, says why it has its size, and is given a fixed size again", async () => {
  await advice().getByRole("button", { name: "Let the pool size itself" }).click();
  await pool().getByText("Sizes itself, now").waitFor();
  expect(await size()).toBe("auto");
  // Nothing beside it fixes the size without saying so.
  expect(
    await pool()
      .getByRole("button", { name: /One (more|less)/ })
      .count(),
  ).toBe(0);
  expect(
    await pool()
      .getByRole("button", { name: /^Keep at \d+$/ })
      .count(),
  ).toBe(1);
  await advice()
    .getByText(/^Chosen: \d+, since /)
    .waitFor({ timeout: 30_000 });
  await advice()
    .getByRole("button", { name: /^Keep \d+ free$/ })
    .click();
  await pool().getByText("Keep free", { exact: true }).waitFor();
  expect(typeof (await size())).toBe("number");
  expectClean(tab, berth.berth.manageUrl);
});

test("a pool whose size a schedule raises says so, and its buttons change its own size", async () => {
  await berth.api.call("PATCH", "/v1/pools/node", { size: 1, warm: ["daily 00:00-24:00 UTC=2"] });
  await pool().getByText("2 by the schedule daily 00:00-24:00 UTC").waitFor();
  await pool().getByRole("button", { name: "One less in pool node" }).click();
  await expect.poll(size).toBe(0);
  await berth.api.call("PATCH", "/v1/pools/node", { warm: [] });
  await expect.poll(() => pool().innerText()).not.toContain("schedule");
});

test("a function's page says how it scales, how long it is idle, and what its record advises", async () => {
  await berth.api.call("PATCH", "/v1/functions/new-0", { scaling: { window: "60s" }, idleTimeout: "auto" });
  await tab.page.goto(`${tab.page.url().split("#")[0]}#/functions/new-0`);
  const scaling = tab.page.getByRole("region", { name: "Scaling" });
  await scaling.getByText(/^scales by windows/).waitFor();
  await scaling.getByText(/^idle instances: /).waitFor({ timeout: 20_000 });
  await scaling.getByText(/^recommended: minScale 0/).waitFor();
  await scaling.getByText(/^concurrency \d+: /).waitFor();
  expectClean(tab, berth.berth.manageUrl);
});
