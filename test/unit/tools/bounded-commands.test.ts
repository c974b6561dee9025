import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { BoundedCommands } from "../../cluster/machine/bounded-commands.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
const log = join(dir, "log");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A shell that prints its child's pid and waits for the child, which would outlive it. */
const WAITING = ["sh", "-c", "sleep 60 & echo $!; wait"];
const isAlive = (pid: string) => existsSync(`/proc/${pid}`) && !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
/** The last line of output, once it is there. */
const lastLine = (file: string) => expect.poll(() => existsSync(file) && readFileSync(file, "utf8").trim()).toBeTruthy();

test("a command ends well, badly, or not at all", async () => {
  const commands = new BoundedCommands();
  expect(await commands.run(["sh", "-c", "echo first"], log, 10_000)).toBe(true);
  expect(await commands.run(["sh", "-c", "echo second >&2; exit 3"], log, 10_000)).toBe(false);
  expect(await commands.run([join(dir, "none")], log, 10_000)).toBe(false);
  expect(readFileSync(log, "utf8")).toBe("first\nsecond\n");
});

test("one that takes too long ends with what it has started", async () => {
  const file = join(dir, "late");
  expect(await new BoundedCommands().run(WAITING, file, 500)).toBe(false);
  const pid = readFileSync(file, "utf8").trim();
  expect(pid).toMatch(/^\d+$/);
  await expect.poll(() => isAlive(pid)).toBe(false);
});

test("after a stop only commands begin that always run", async () => {
  const file = join(dir, "stopped");
  const commands = new BoundedCommands();
  const running = commands.run(WAITING, file, 60_000);
  await lastLine(file);
  commands.stop();
  expect(await running).toBe(false);
  expect(await commands.run(["sh", "-c", "echo more"], join(dir, "more"), 10_000)).toBe(false);
  expect(existsSync(join(dir, "more"))).toBe(false);
  expect(await commands.run(["sh", "-c", "echo down"], join(dir, "down"), 10_000, "always")).toBe(true);
});
