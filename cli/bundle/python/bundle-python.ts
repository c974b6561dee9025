import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { globSync } from "tinyglobby";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ENTRY_NAME } from "../../../runtime-images/protocol/layer.ts";
import { compileFiles } from "../../../runtime-images/python/bytecode.ts";
import { findPython, type Python } from "../../../runtime-images/python/find-python.ts";
import { CliError } from "../../errors.ts";
import { removeDirectory, temporaryDirectory } from "../../temporary-directory.ts";
import { layerFile } from "../layer-file.ts";
import { installPackages, type PackageTarget } from "./packages.ts";
import { packageFiles, pythonFiles } from "./python-files.ts";
import type { PythonSource } from "./python-source.ts";

/** The directory of installed packages, below the function's root, as the worker expects it. */
export const PACKAGES = "site-packages";

export interface PythonBundleOptions {
  /** Patterns that begin with `!` leave files out. */
  include?: readonly string[];
  /** The target that the function runs on; by default this machine's interpreter. */
  runs?: PackageTarget;
  say?: (text: string) => void;
}

export async function requiredPython(): Promise<Python> {
  const python = await findPython();
  if (typeof python === "string") throw new CliError("PYTHON_MISSING", python, "install Python 3.11 or newer with pip, or name it with BERTH_PYTHON");
  return python;
}

/** Packs a project, its packages and the bytecode of both into the tar that POST /v1/code accepts. */
export async function bundlePython({ base, entry }: PythonSource, { include = [], runs, say = () => {} }: PythonBundleOptions = {}): Promise<Uint8Array> {
  const python = await requiredPython();
  const dir = temporaryDirectory("berth-python-");
  try {
    const [code, installed] = [join(dir, "code"), join(dir, "installed")];
    mkdirSync(code);
    const target = runs ?? { version: python.version, isHere: true };
    await installPackages(base, installed, python, target, say);
    copy(base, pythonFiles(base, include), code);
    copy(installed, packageFiles(installed), join(code, PACKAGES));
    if (target.version === python.version) await compile(code, python);
    else say(`no bytecode is compiled: this machine has Python ${python.version}, and the function runs on ${target.version}`);
    const files = globSync("**/*", { cwd: code, dot: true }).map((path) => layerFile(code, path));
    return await packLayer([...files, { path: ENTRY_NAME, data: Buffer.from(entry) }]);
  } finally {
    removeDirectory(dir);
  }
}

function copy(from: string, paths: readonly string[], to: string): void {
  for (const path of paths) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path), { dereference: true });
  }
}

/** Compiles deployed files. One that does not compile is left to the load, which says where its error is. */
export function compile(dir: string, python: Python): Promise<void> {
  return compileFiles(dir, python).catch(() => {});
}
