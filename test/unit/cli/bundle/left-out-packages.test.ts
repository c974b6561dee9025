import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const IMPORTS = /(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g;

/** Packages that a program of ours loads, from itself and from its chunks; but not from what only a deployment or `berth dev` loads. */
function packagesOf(file: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(file)) return seen;
  seen.set(file, file);
  for (const [, name = ""] of readFileSync(file, "utf8").matchAll(IMPORTS)) {
    if (!name.startsWith(".")) seen.set(name, file);
    else if (!/\/(bundle|dev)-\w+\.js$/.test(name)) packagesOf(join(dirname(file), name), seen);
  }
  return seen;
}

test("pool managers and routers start without the packages that their image leaves out", () => {
  const packages = packagesOf("dist/berth.js");
  expect(packages.size).toBeGreaterThan(30);
  expect([...packages.keys()]).toEqual(expect.arrayContaining(["fastify", "ioredis"]));
  expect([...packages].filter(([name]) => /^(@?esbuild\b|vitest|tsx|typescript)/.test(name))).toEqual([]);
});
