import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectClean, launch, openTab } from "./chromium.ts";
import { CrowdApi } from "./crowd-api.ts";
import { slowdown } from "./slowdown.ts";

const INSTANCES = 1000;
const CHANGES_PER_SECOND = 50;
const SECONDS = 5;
const LOADS = 8;
const WINDOWS = 3;

let api: CrowdApi;
let browser: Browser;
beforeAll(async () => {
  api = await CrowdApi.start(INSTANCES);
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await api?.close();
});

/** Milliseconds from the navigation until the map was in a frame that the browser had drawn. */
function untilDrawn(page: Page): Promise<number> {
  return page.evaluate(
    (count) =>
      new Promise<number>((resolve) => {
        const check = () => {
          if (document.querySelectorAll(".cells .cell").length === count) requestAnimationFrame(() => resolve(performance.now()));
          else requestAnimationFrame(check);
        };
        check();
      }),
    INSTANCES,
  );
}

test("a thousand instances are drawn within half a second of the navigation", async () => {
  const times: number[] = [];
  const factors: number[] = [];
  for (let i = 0; i < LOADS; i++) {
    const { page } = await openTab(browser, "about:blank");
    await page.goto(api.url, { waitUntil: "commit" });
    times.push(await untilDrawn(page));
    factors.push(slowdown());
    await page.context().close();
  }
  const sorted = [...times].sort((a, b) => a - b).map(Math.round);
  const factor = median(factors);
  process.stdout.write(
    `first useful paint with ${INSTANCES} instances, n=${LOADS}: ${sorted.join(", ")} ms; the machine is ${factor.toFixed(1)} times slowed\n`,
  );
  expect((sorted[0] ?? Number.NaN) / factor).toBeLessThan(500);
});

test("fifty changes a second leave the page most of its time, and each is drawn", async () => {
  const tab = await openTab(browser, api.url);
  const { page } = tab;
  await untilDrawn(page);
  const session = await page.context().newCDPSession(page);
  // Processor time of the page's thread, whatever else runs on the machine.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  };
  const shares: number[] = [];
  const gaps: number[] = [];
  const factors: number[] = [];
  const timer = setInterval(() => api.change(), 1000 / CHANGES_PER_SECOND);
  try {
    for (let i = 0; i < WINDOWS; i++) {
      const [began, from] = [performance.now(), await busy()];
      gaps.push(await longestGap(page, SECONDS * 1000));
      shares.push(((await busy()) - from) / ((performance.now() - began) / 1000));
      factors.push(slowdown());
    }
  } finally {
    clearInterval(timer);
  }
  expect(api.changes).toBeGreaterThan(WINDOWS * SECONDS * 20);
  const factor = median(factors);
  const percent = shares.map((share) => Math.round(100 * share));
  const words = `${INSTANCES} instances, ${CHANGES_PER_SECOND} changes a second, n=${WINDOWS} × ${SECONDS} s`;
  const gapWords = gaps.map((gap) => Math.round(gap)).join(", ");
  process.stdout.write(`${words}: main thread ${percent.join(", ")} %, longest gap ${gapWords} ms; the machine is ${factor.toFixed(1)} times slowed\n`);
  expect(Math.min(...shares)).toBeLessThan(0.5);
  expect(Math.min(...gaps) / factor).toBeLessThan(150);
  // The page shows everything that the pool manager has.
  await expect.poll(() => page.locator(".cells .cell.prewarmed").count()).toBe(api.count("prewarmed"));
  await expect.poll(() => page.locator(".cells .cell.specializing").count()).toBe(api.count("specializing"));
  expectClean(tab, api.url);
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The longest time between two frames within `ms`. */
function longestGap(page: Page, ms: number): Promise<number> {
  return page.evaluate(
    (length) =>
      new Promise<number>((resolve) => {
        const end = performance.now() + length;
        let last = performance.now();
        let longest = 0;
        const frame = () => {
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
          if (now < end) requestAnimationFrame(frame);
          else resolve(longest);
        };
        requestAnimationFrame(frame);
      }),
    ms,
  );
}
