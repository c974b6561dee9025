import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { installPackages } from "../../../../../cli/bundle/python/packages.ts";
import { pythonFiles } from "../../../../../cli/bundle/python/python-files.ts";
import { findPythonSource } from "../../../../../cli/bundle/python/python-source.ts";
import { directoryOf } from "../../../../helpers/bundled.ts";

describe("the entry", () => {
  test("of a directory is the first of the usual names, of a file the file", () => {
    const dir = directoryOf({ "app.py": "", "main.py": "", "x.py": "" });
    expect(findPythonSource(dir)).toEqual({ base: dir, entry: "main.py", handler: undefined });
    expect(findPythonSource(join(dir, "x.py"))).toEqual({ base: dir, entry: "x.py", handler: undefined });
  });

  test("may be named together with its handler, and is below the code's directory", () => {
    const dir = directoryOf({ "src/server.py": "", "README.md": "" });
    expect(findPythonSource(dir, "src/server.py:api")).toEqual({ base: dir, entry: "src/server.py", handler: "api" });
    expect(findPythonSource(dir, "src/server.py").handler).toBeUndefined();
    for (const wrong of ["other.py", "README.md", "../x.py", "src"]) {
      expect(() => findPythonSource(dir, wrong)).toThrow(expect.objectContaining({ code: "SOURCE_NOT_FOUND" }));
    }
    expect(() => findPythonSource(dir)).toThrow(expect.objectContaining({ code: "SOURCE_NOT_FOUND", fix: expect.stringContaining("--entry") }));
  });
});

test("caches, environments, secrets and what a pattern excludes are not deployed", () => {
  const dir = directoryOf({
    "main.py": "",
    "data/big.csv": "",
    "templates/a.html": "",
    ".env": "SECRET=1",
    "berth.yaml": "",
    "__pycache__/main.cpython-311.pyc": "",
    "own-venv/pyvenv.cfg": "",
    "own-venv/lib/x.py": "",
    ".git/HEAD": "",
    "node_modules/a/index.js": "",
  });
  expect(pythonFiles(dir, ["!data/**"]).sort()).toEqual(["main.py", "templates/a.html"]);
});

describe("packages for another machine", () => {
  const PATH = process.env.PATH;
  afterEach(() => {
    process.env.PATH = PATH;
  });

  test("are not installed by pip, which evaluates conditions for its own machine", async () => {
    process.env.PATH = "/nonexistent";
    const dir = directoryOf({ "requirements.txt": "flask\n" });
    const python = { program: "/nonexistent/python3", version: "3.11", cacheTag: "cpython-311" };
    const install = (version: string, isHere: boolean) => installPackages(dir, "unused", python, { version, isHere }, () => {});
    for (const isHere of [true, false]) {
      await expect(install("3.13", isHere)).rejects.toMatchObject({ code: "PYTHON_MISMATCH", fix: expect.stringContaining("uv") });
    }
  });

  test("are resolved by uv for the version and the platform that run them", async () => {
    const bin = directoryOf({ uv: '#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n' });
    chmodSync(join(bin, "uv"), 0o755);
    process.env.PATH = `${bin}:/bin:/usr/bin`;
    const dir = directoryOf({ "requirements.txt": "flask\n" });
    const said: string[] = [];
    const python = { program: "/python3", version: "3.11", cacheTag: "cpython-311" };
    await installPackages(dir, "target", python, { version: "3.13", isHere: false }, (text) => said.push(text));
    expect(said).toEqual(["installing the packages of requirements.txt with uv for Python 3.13 on Linux x86-64"]);
    await installPackages(dir, "target", python, { version: "3.11", isHere: true }, () => {});
    const calls = readFileSync(join(bin, "calls"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("pip"));
    expect(calls[0]).toContain("--python-version 3.13 --python-platform x86_64-manylinux_2_28");
    expect(calls[1]).not.toContain("--python-");
    expect(calls[1]).toContain("--python /python3");
  });
});
