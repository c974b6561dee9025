import { chmodSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { declarations, requirementsOf } from "../../../../../cli/bundle/python/requirements.ts";
import { findPython } from "../../../../../runtime-images/python/find-python.ts";
import { directoryOf } from "../../../../helpers/bundled.ts";

const python = await findPython();
const PATH = process.env.PATH;
afterEach(() => {
  process.env.PATH = PATH;
});

/** The installed packages, and the file that declares them; null: none. */
async function resolved(files: Record<string, string>): Promise<[string, string] | null> {
  const scratch = mkdtempSync(join(tmpdir(), "berth-test-"));
  const interpreter = typeof python === "string" ? { program: "python3", version: "3.11", cacheTag: "cpython-311" } : python;
  const found = await requirementsOf(directoryOf(files), scratch, interpreter);
  return found && [readFileSync(found.file, "utf8"), found.declaredIn];
}

const unresolved = (message: RegExp) => expect.objectContaining({ code: "PACKAGES_UNRESOLVED", message: expect.stringMatching(message) });

test("requirements.txt takes precedence over all others, and an empty one means that no package is needed", async () => {
  const others = { "uv.lock": "", "pyproject.toml": '[project]\ndependencies = ["django"]\n' };
  expect(await resolved({ "requirements.txt": "flask\n", ...others })).toEqual(["flask\n", "requirements.txt"]);
  expect(await resolved({ "requirements.txt": "# none\n", ...others })).toBeNull();
  expect(await resolved({ "main.py": "" })).toBeNull();
});

// pyproject.toml is read by Python, which has a parser of TOML.
describe.skipIf(typeof python === "string")("pyproject.toml", () => {
  test("gives the dependencies of [project], without extras and groups", async () => {
    const project = `[project]
name = "shop"
dependencies = ["flask>=3", "tomli; python_version < '3.11'", "a[b]==1"]
[project.optional-dependencies]
extra = ["numpy"]
[dependency-groups]
dev = ["pytest"]
`;
    expect(await resolved({ "pyproject.toml": project })).toEqual(["flask>=3\ntomli; python_version < '3.11'\na[b]==1", "pyproject.toml"]);
  });

  test.each(["[project]\ndependencies = []\n", '[project]\nname = "a"\n', "[tool.ruff]\nline-length = 80\n"])(
    "without dependencies needs none: %j",
    async (text) => {
      expect(await resolved({ "pyproject.toml": text })).toBeNull();
    },
  );

  test.each([
    ['[project]\nname = "a"\ndynamic = ["dependencies"]\n', /dynamic dependencies/],
    ['[tool.poetry.dependencies]\nflask = "^3"\n', /\[tool\.poetry\] alone/],
    ["[project\n", /cannot be read: .*(Expected|Invalid)/],
  ])("that Berth does not read is refused with the reason: %j", async (text, message) => {
    await expect(resolved({ "pyproject.toml": text })).rejects.toThrow(unresolved(message));
  });
});

describe("uv.lock", () => {
  /** A uv that writes its arguments instead of packages, or fails. */
  function withUv(script: string): void {
    const bin = directoryOf({ uv: `#!/bin/sh\n${script}\n` });
    chmodSync(join(bin, "uv"), 0o755);
    process.env.PATH = `${bin}:/bin:/usr/bin`;
  }

  test("is exported as it is, without the project itself and its development groups", async () => {
    withUv('for file; do :; done; echo "$@" > "$file"');
    const [exported, declaredIn] = (await resolved({ "uv.lock": "", "pyproject.toml": "" })) ?? [];
    expect(exported).toMatch(/^export --frozen --no-dev --no-emit-project .*--project \//);
    expect(declaredIn).toBe("uv.lock");
  });

  test("that uv cannot export, or without uv, is refused with the way to mend it", async () => {
    withUv("echo 'error: Unable to find lockfile' >&2; exit 2");
    await expect(resolved({ "uv.lock": "" })).rejects.toThrow(unresolved(/cannot export .*Unable to find lockfile/));
    process.env.PATH = "/nonexistent";
    await expect(resolved({ "uv.lock": "" })).rejects.toMatchObject({ code: "PACKAGES_UNRESOLVED", fix: expect.stringContaining("install uv") });
  });
});

test("the declarations of packages change with each file that declares them", () => {
  const projects: Record<string, string>[] = [{}, { "requirements.txt": "a" }, { "uv.lock": "a" }, { "pyproject.toml": "a" }];
  const texts = projects.map((files) => declarations(directoryOf({ "main.py": "", ...files })).replace(/^.*\//, ""));
  expect(new Set(texts).size).toBe(4);
});
