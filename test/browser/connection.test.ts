import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newKey } from "../../pool-manager/client/api-keys.ts";
import { freePort } from "../helpers/free-port.ts";
import { berthProcess } from "../helpers/routers.ts";
import { expectClean, launch, openTab } from "./chromium.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-keys-"));
const manage = newKey("someone", ["manage", "invoke"]);
const monitor = newKey("grafana", ["monitor"]);
writeFileSync(join(folder, "keys"), `${manage.line}\n${monitor.line}\n`);
/** Those of refused requests, and of a server that is away. */
const EXPECTED = /40[13] \(|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|503 \(/;

let browser: Browser;
let port: number;
let child: ChildProcess;

async function start(): Promise<void> {
  const args = ["up", "--router-port", "0", "--api-port", String(port), "--state-dir", join(folder, "state"), "--pool-size", "2", "--no-example"];
  ({ child } = await berthProcess([...args, "--api-keys", join(folder, "keys")], /^berth ready: .*$/m, 60_000));
}

async function kill(): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

beforeAll(async () => {
  port = await freePort();
  await start();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  if (child && child.exitCode === null && child.signalCode === null) await kill();
  rmSync(folder, { recursive: true, force: true });
});

test("asks for a key, says why one does not do, keeps it in the tab, and returns after the pool manager was killed", async () => {
  const base = `http://127.0.0.1:${port}`;
  const tab = await openTab(browser, base, {}, EXPECTED);
  const { page } = tab;
  const key = page.getByLabel("Key with the role manage");
  await key.fill("wrong");
  await key.press("Enter");
  await page.getByText("The key is not known here.").waitFor();
  await key.fill(monitor.key);
  await key.press("Enter");
  await page.getByText(/needs a key with the role manage/).waitFor();
  await key.fill(manage.key);
  await key.press("Enter");
  await page.locator(".tile.prewarmed").nth(1).waitFor();
  // Kept in this tab, over a reload; not in another one.
  await page.reload();
  await page.locator(".tile").first().waitFor();
  const other = await openTab(browser, base, {}, EXPECTED);
  await other.page.getByLabel("Key with the role manage").waitFor();
  await other.page.context().close();

  await kill();
  await page.getByText("Connection lost.").waitFor();
  expect(await page.getByRole("status").innerText()).toBe("lost");
  // The state that was heard last can still be read.
  expect(await page.locator(".tile").count()).toBeGreaterThan(0);
  const before = await page.locator(".tile").first().getAttribute("title");
  await start();
  await expect.poll(() => page.getByRole("status").innerText(), { timeout: 30_000 }).toBe("live");
  await page.locator(".tile.prewarmed").nth(1).waitFor();
  expect(await page.getByText("Connection lost.").count()).toBe(0);
  expect(await page.locator(".tile").first().getAttribute("title")).not.toBe(before);
  expectClean(tab, base, manage.key);
});

test("a pool manager that is silent, its process stopped, counts as lost, and as found when it goes on", async () => {
  const tab = await openTab(browser, `http://127.0.0.1:${port}`, {}, EXPECTED);
  const { page } = tab;
  await page.getByLabel("Key with the role manage").fill(manage.key);
  await page.getByRole("button", { name: "Open" }).click();
  await page.locator(".tile").first().waitFor();
  spawn("kill", ["-STOP", String(child.pid)]);
  await page.getByText("Connection lost.").waitFor();
  spawn("kill", ["-CONT", String(child.pid)]);
  await expect.poll(() => page.getByRole("status").innerText(), { timeout: 30_000 }).toBe("live");
  expectClean(tab, `http://127.0.0.1:${port}`, manage.key);
});
