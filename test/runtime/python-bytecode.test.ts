import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileWorker } from "../../runtime-images/python/bytecode.ts";
import { findPython, type Python } from "../../runtime-images/python/find-python.ts";
import { PYTHON } from "../helpers/python.ts";

const DIST = "runtime-images/python/dist";

/** The files that the build has left on a machine with another interpreter. */
function builtElsewhere(): string {
  const dist = mkdtempSync(join(tmpdir(), "berth-test-"));
  cpSync(DIST, dist, { recursive: true, filter: (path) => !path.includes("__pycache__") && !path.includes("compiled-") });
  return dist;
}

const compiled = (dist: string) => readdirSync(join(dist, "berth_worker/__pycache__")).filter((name) => name.startsWith("worker."));

test.skipIf(PYTHON === null)("the build compiles the worker for its interpreter, and a start with another one compiles it for that, once", async () => {
  const python = (await findPython()) as Python;
  expect(readdirSync(DIST)).toContainEqual(expect.stringMatching(/^compiled-cpython-3/));
  const dist = builtElsewhere();
  expect(await compileWorker(dist, python)).toBeNull();
  expect(compiled(dist)).toEqual([`worker.${python.cacheTag}.pyc`]);
  const bytecode = readFileSync(join(dist, "berth_worker/__pycache__", `worker.${python.cacheTag}.pyc`));
  expect(bytecode).toEqual(readFileSync(join(DIST, "berth_worker/__pycache__", `worker.${python.cacheTag}.pyc`)));
  rmSync(join(dist, "berth_worker/__pycache__"), { recursive: true });
  expect(await compileWorker(dist, python)).toBeNull();
  expect(existsSync(join(dist, "berth_worker/__pycache__"))).toBe(false);
});

test.skipIf(PYTHON === null)("the reason is known where it cannot be compiled, and the next start tries again", async () => {
  const python = (await findPython()) as Python;
  const dist = builtElsewhere();
  writeFileSync(join(dist, "berth_worker/__pycache__"), "in the way");
  expect(await compileWorker(dist, python)).toMatch(/File exists|Not a directory/);
  rmSync(join(dist, "berth_worker/__pycache__"));
  expect(await compileWorker(dist, python)).toBeNull();
  expect(await compileWorker(dist, { ...python, program: "/no/such/python3", cacheTag: "other" })).toContain("ENOENT");
});
