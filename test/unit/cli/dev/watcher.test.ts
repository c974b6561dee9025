import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Watcher } from "../../../../cli/dev/watcher.ts";
import { until } from "../../../helpers/berth.ts";
import { directoryOf } from "../../../helpers/bundled.ts";

let dir: string;
let watcher: Watcher;
let reports: string[][];
beforeEach(() => {
  dir = directoryOf({ "a.ts": "0" });
  reports = [];
  watcher = new Watcher(dir, {
    changed: (files) => reports.push(files),
    failed: (message) => {
      throw new Error(message);
    },
  });
});
afterEach(() => {
  watcher.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The reports of these changes, once this file was named. */
async function reported(name: string, change: () => void): Promise<string[]> {
  reports = [];
  change();
  await until(() => reports.flat().includes(name), `${name} is reported`);
  return [...new Set(reports.flat())];
}

const write = (name: string, text = String(Math.random())) => writeFileSync(join(dir, name), text);

test("a file that is written, renamed into place, or saved as vim does, is reported each time", async () => {
  const atomically = () => {
    write("a.ts.tmp");
    renameSync(join(dir, "a.ts.tmp"), join(dir, "a.ts"));
  };
  const asVim = () => {
    write("4913");
    rmSync(join(dir, "4913"));
    renameSync(join(dir, "a.ts"), join(dir, "a.ts~"));
    write("a.ts");
    rmSync(join(dir, "a.ts~"));
  };
  for (const save of [() => write("a.ts"), atomically, atomically, asVim, () => write("a.ts"), asVim]) expect(await reported("a.ts", save)).toContain("a.ts");
  expect(reports.flat()).not.toContain("4913");
  expect(reports.flat()).not.toContain("a.ts~");
});

test("many files that change together are few reports; a new directory is reported, and watched", async () => {
  const names = Array.from({ length: 100 }, (_, at) => `f${at}.ts`);
  const checkout = () => {
    mkdirSync(join(dir, "deep/er"), { recursive: true });
    for (const name of names) write(name);
    write("last.ts");
  };
  await reported("last.ts", checkout);
  await until(() => new Set(reports.flat()).size >= names.length + 2, "all are reported");
  expect(reports.flat()).toContain("deep");
  expect(reports.length).toBeLessThan(10);
  await reported("deep/er/b.ts", () => write("deep/er/b.ts"));
});

test("what tools install and write is not reported", async () => {
  for (const folder of ["node_modules/x", ".git", "dist"]) mkdirSync(join(dir, folder), { recursive: true });
  const change = () => {
    for (const file of ["node_modules/x/index.js", ".git/HEAD", "dist/a.js"]) write(file);
    write("a.ts");
  };
  expect(await reported("a.ts", change)).toEqual(["a.ts"]);
});

test("a directory that is deleted and comes back is watched again, also if it does so at once", async () => {
  await reported("a.ts", () => rmSync(dir, { recursive: true }));
  await reported("", () => {
    mkdirSync(dir);
    write("a.ts");
  });
  await reported("a.ts", () => write("a.ts"));
  await reported("", () => {
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    write("a.ts");
  });
  await reported("a.ts", () => write("a.ts"));
});

test("a file elsewhere that the code was made of is watched once it is named; installed packages are not", async () => {
  const shared = directoryOf({ "lib.ts": "0", "node_modules/p/index.js": "0" });
  watcher.add([join(shared, "lib.ts"), join(shared, "node_modules/p/index.js")]);
  // The watch of a single file has no event that tells when it begins.
  await until(() => {
    writeFileSync(join(shared, "lib.ts"), String(Math.random()));
    return reports.flat().some((name) => name.endsWith("lib.ts"));
  }, "it is reported");
  writeFileSync(join(shared, "node_modules/p/index.js"), "1");
  await reported("a.ts", () => write("a.ts"));
  expect(reports.flat().some((name) => name.includes("node_modules"))).toBe(false);
});
