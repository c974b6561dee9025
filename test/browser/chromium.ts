import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** It opens no connection but the page's. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
}

/** Errors that the page has reported, and every request that it made. */
export interface Watched {
  page: Page;
  errors: string[];
  urls: string[];
}

/** A new tab, with a session of its own. `expected`: errors of the console that belong to the test. */
export async function openTab(browser: Browser, url: string, options: BrowserContextOptions = {}, expected = /^$/): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const errors: string[] = [];
  const urls: string[] = [];
  page.on("console", (message) => {
    const text = `${message.text()} ${message.location().url}`;
    if (message.type() === "error" && !expected.test(text)) errors.push(text);
  });
  page.on("pageerror", (error) => void errors.push(error.message));
  page.on("request", (request) => void urls.push(request.url()));
  await page.goto(url);
  return { page, errors, urls };
}

/** The page has raised no error, broken no policy, asked nobody else, and put no key into an address. */
export function expectClean({ errors, urls }: Watched, base: string, secret = "no-key"): void {
  expect(errors).toEqual([]);
  expect(urls.filter((url) => !url.startsWith(`${base}/`) && !url.startsWith("data:"))).toEqual([]);
  expect(urls.filter((url) => url.includes(secret))).toEqual([]);
}
