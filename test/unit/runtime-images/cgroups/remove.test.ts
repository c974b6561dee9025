import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { cgroupsIn, removeCgroup, removeCgroups } from "../../../../runtime-images/cgroups/remove.ts";

/** Directories stand for cgroups: the kernel refuses to remove one with a file, as it does a cgroup with a process. */
let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "berth-cgroups-"));
  mkdirSync(join(parent, "a", "inner"), { recursive: true });
  mkdirSync(join(parent, "b"));
});

const busy = (dir: string) => writeFileSync(join(parent, dir, "process"), "");

test("a cgroup goes with those in it", () => {
  expect(removeCgroup(join(parent, "a"))).toBe(true);
  expect(cgroupsIn(parent)).toEqual(["b"]);
});

test("one that is gone counts as removed, and has none in it", () => {
  expect(removeCgroup(join(parent, "c"))).toBe(true);
  expect(cgroupsIn(join(parent, "c"))).toEqual([]);
});

test("one with a process stays, with those around it", () => {
  busy("a/inner");
  expect(removeCgroup(join(parent, "a"))).toBe(false);
  expect(existsSync(join(parent, "a", "inner"))).toBe(true);
});

test("several are removed as their processes end; another that is busy does not hold them up", async () => {
  busy("a/inner");
  const removed = removeCgroups(() => cgroupsIn(parent).map((name) => join(parent, name)), { ref: true });
  expect(cgroupsIn(parent)).toEqual(["a"]);
  rmSync(join(parent, "a", "inner", "process"));
  await removed;
  expect(cgroupsIn(parent)).toEqual([]);
});

test("one whose process does not end is left after two seconds", async () => {
  busy("b");
  const began = performance.now();
  await removeCgroups(() => [join(parent, "b")], { ref: true });
  expect(performance.now() - began).toBeGreaterThan(1900);
  expect(existsSync(join(parent, "b"))).toBe(true);
});
