import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestBerth } from "../helpers/berth.ts";
import { expectClean, launch, openTab } from "./chromium.ts";

const TEXT = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>\\u202e"'\\x1b[31m`;
const SOURCE = `console.log(${"`"}${TEXT}${"`"});
export default { fetch() {
  console.log(${"`"}${TEXT}${"`"});
  return new Response(${"`"}${TEXT}${"`"}, { status: 418, headers: { "content-type": "text/html", "x-evil": "<b onclick=alert(1)>", "server-timing": "run;dur=<i>" } });
} };`;

let berth: TestBerth;
let browser: Browser;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1, platform: "local" });
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await berth?.close();
});

test("texts of functions, logs, answers, variables and events are text, whatever they hold", async () => {
  const base = berth.berth.manageUrl;
  await berth.deploy("evil", SOURCE, { env: { X: '<img src=x onerror="window.owned=1">' } });
  await berth.deploy("worse", "throw new Error('<img src=x onerror=\"window.owned=1\">')", { minScale: 1 });
  const tab = await openTab(browser, `${base}/#/functions/evil`);
  const { page } = tab;
  await page.getByRole("button", { name: "Invoke", exact: true }).click();
  await page.locator(".answer").waitFor();
  expect(await page.locator(".answer pre.body").innerText()).toContain("<script>window.owned=1</script>");
  await page.getByRole("log").getByText("<script>window.owned=1</script>").first().waitFor();
  await page.locator(".revisions").getByText("onerror").waitFor();
  await page.getByText("headers").click();
  await page.goto(`${base}/#/events`);
  await page.getByText("<img src=x onerror").first().waitFor();
  // Names in the address are strangers' text too.
  await page.goto(`${base}/#/functions/${encodeURIComponent('<img src=x onerror="window.owned=1">/../../v1/status')}`);
  await page.getByText("There is no function").waitFor();
  expect(await page.evaluate(() => [Reflect.get(window, "owned"), document.querySelectorAll("main img, main script").length])).toEqual([undefined, 0]);
  // The function that is not there answers 404.
  expectClean({ ...tab, errors: tab.errors.filter((error) => !error.includes("404 (")) }, base);
});

test("a page that got a script in all the same could not run it, and no page frames the dashboard", async () => {
  const base = berth.berth.manageUrl;
  const { page, errors } = await openTab(browser, base);
  await page.locator(".tile").first().waitFor();
  const ran = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.owned = 1";
    document.body.append(script);
    const image = document.createElement("div");
    image.innerHTML = '<img src="x" onerror="window.owned = 2">';
    document.body.append(image);
    // The handler in the text is called before this one, if at all.
    await new Promise((resolve) => image.querySelector("img")?.addEventListener("error", resolve));
    return Reflect.get(window, "owned");
  });
  expect(ran).toBeUndefined();
  expect(errors.some((error) => /Content Security Policy/.test(error))).toBe(true);
});
