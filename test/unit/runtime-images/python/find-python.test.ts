import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { findPython } from "../../../../runtime-images/python/find-python.ts";
import { pythonWorker } from "../../../../runtime-images/python/worker-command.ts";

afterEach(() => vi.unstubAllEnvs());

/** A program that answers every question with this script's output. */
function programThat(script: string): string {
  const file = join(mkdtempSync(join(tmpdir(), "berth-test-")), "python3");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

const says = (...lines: string[]) => `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}`;

test.each([
  ["3.11", "cpython-311"],
  ["3.14", "cpython-314"],
])("CPython %s runs functions", async (version, cacheTag) => {
  vi.stubEnv("BERTH_PYTHON", programThat(says("/opt/bin/python3", version, "cpython", cacheTag, "")));
  expect(await findPython()).toEqual({ program: "/opt/bin/python3", version, cacheTag });
});

test.each([
  ["too old", says("/opt/bin/python3", "3.10", "cpython", "cpython-310", ""), "is 3.10, and 3.11 or newer is needed"],
  ["of another implementation", says("/opt/bin/pypy3", "3.11", "pypy", "pypy311", ""), "is pypy 3.11, and CPython is needed"],
  ["without the lock", says("/opt/bin/python3", "3.14", "cpython", "cpython-314", "t"), "is a free-threaded build of 3.14, and one with the interpreter lock"],
  ["a shim of nothing", "echo 'pyenv: python3: command not found' >&2; exit 127", "does not run: pyenv: python3: command not found"],
  ["no Python", "echo hello", "does not run: it printed no version"],
  ["ending without a word", "exit 1", "does not run: Command failed"],
])("one that is %s is refused with the reason", async (_what, script, reason) => {
  const program = programThat(script);
  vi.stubEnv("BERTH_PYTHON", program);
  expect(await findPython()).toContain(`${program} ${reason}`);
});

test("one that does not exist is refused with the reason", async () => {
  vi.stubEnv("BERTH_PYTHON", "/no/such/python3");
  expect(await findPython()).toContain("/no/such/python3 does not run: spawn");
});

test("without the worker's build the reason names it", async () => {
  expect(await pythonWorker("/no/such/dist")).toContain("npm run build");
});
