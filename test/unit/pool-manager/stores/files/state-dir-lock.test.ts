import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { StateDirLock } from "../../../../../pool-manager/stores/files/state-dir-lock.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-lock-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.each(["linux", "darwin"] as const)("one process at a time has the directory (%s), and the next one after it", async (platform) => {
  const first = await StateDirLock.acquire(dir, platform);
  await expect(StateDirLock.acquire(dir, platform)).rejects.toThrow(`is in use by another berth (process ${process.pid})`);
  await expect(StateDirLock.acquire(dir, platform)).rejects.toThrow("is in use");
  first.release();
  (await StateDirLock.acquire(dir, platform)).release();
});

test("a socket file that a crash has left behind does not lock the state directory", async () => {
  const code = `require("node:net").createServer().listen(${JSON.stringify(join(dir, "lock"))}, () => process.stdout.write("listens"))`;
  const crashed = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void crashed.kill("SIGKILL"));
  await once(crashed.stdout, "data");
  await expect(StateDirLock.acquire(dir, "darwin")).rejects.toThrow("is in use");
  crashed.kill("SIGKILL");
  await once(crashed, "exit");
  const lock = await StateDirLock.acquire(dir, "darwin");
  expect(readdirSync(dir).filter((name) => name.startsWith("lock."))).toEqual([]);
  lock.release();
});
