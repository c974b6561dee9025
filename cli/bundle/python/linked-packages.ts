import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ENTRY_NAME } from "../../../runtime-images/protocol/layer.ts";
import type { Python } from "../../../runtime-images/python/find-python.ts";
import { CliError } from "../../errors.ts";
import { removeDirectory, temporaryDirectory } from "../../temporary-directory.ts";
import { layerFile } from "../layer-file.ts";
import { compile, PACKAGES, type PythonBundleOptions, requiredPython } from "./bundle-python.ts";
import { installPackages } from "./packages.ts";
import { pythonFiles } from "./python-files.ts";
import type { PythonSource } from "./python-source.ts";
import { declarations } from "./requirements.ts";

const FIND_MS = 10_000;

/**
 * The packages of a project that is deployed often on the machine that runs it: they are installed when what declares them
 * changes, and deployed code refers to their directory, so that a deployment packs the project's own files alone.
 */
export class LinkedPackages {
  readonly #root = temporaryDirectory("berth-packages-");
  /** It is asked for its version once: starting it takes longer than everything else that a bundle needs. */
  #python: Python | null = null;
  #installed: { declared: string; dir: string; debugpy: string | null } | null = null;

  /** Packs a project. With `inspect`, its code first listens for a debugger, by debugpy. */
  async bundle(
    { base, entry }: PythonSource,
    { include = [], inspect = false, say = () => {} }: PythonBundleOptions & { inspect?: boolean },
  ): Promise<Uint8Array> {
    this.#python ??= await requiredPython();
    const installed = await this.#install(base, this.#python, say);
    const { dir } = installed;
    const files = pythonFiles(base, include).map((path) => layerFile(base, path));
    const link = { path: `${PACKAGES}/berth-1-packages.pth`, data: Buffer.from(`import site; site.addsitedir(${JSON.stringify(dir)})\n`) };
    if (inspect) installed.debugpy ??= await debugpyIn(dir, this.#python);
    if (installed.debugpy !== null) files.push({ path: `${PACKAGES}/berth-2-inspect.pth`, data: Buffer.from(debugging(base, installed.debugpy)) });
    return await packLayer([...files, link, { path: ENTRY_NAME, data: Buffer.from(entry) }]);
  }

  remove(): void {
    removeDirectory(this.#root);
  }

  async #install(base: string, python: Python, say: (text: string) => void): Promise<{ dir: string; debugpy: string | null }> {
    const declared = declarations(base);
    if (this.#installed?.declared === declared) return this.#installed;
    // Code that is loaded already goes on with the packages that it has.
    const dir = mkdtempSync(join(this.#root, "p"));
    await installPackages(base, dir, python, { version: python.version, isHere: true }, say);
    await compile(dir, python);
    this.#installed = { declared, dir, debugpy: null };
    return this.#installed;
  }
}

/** The directory that has debugpy: the packages of the project, or those of the interpreter. */
function debugpyIn(packages: string, { program }: Python): Promise<string> {
  const find = "import debugpy, os; print(os.path.dirname(os.path.dirname(debugpy.__file__)))";
  return new Promise((resolve, reject) => {
    execFile(program, ["-c", find], { timeout: FIND_MS, env: { ...process.env, PYTHONPATH: packages } }, (error, stdout) => {
      if (!error) return resolve(stdout.trim());
      const fix = `add debugpy to requirements.txt, or install it: ${program} -m pip install debugpy`;
      reject(new CliError("INSPECT_UNAVAILABLE", "--inspect requires debugpy, and Python does not find it", fix));
    });
  });
}

/** A line of a .pth file, which Python runs: it maps the project's files to the deployed ones, and prints the debugger's port. */
function debugging(base: string, debugpy: string): string {
  const code = [
    "import os, sys, json",
    `os.environ["PATHS_FROM_ECLIPSE_TO_PYTHON"] = json.dumps([[${JSON.stringify(base)}, os.path.dirname(sitedir.rstrip("/"))]])`,
    `sys.path.append(${JSON.stringify(debugpy)})`,
    "import debugpy",
    'sys.stderr.write("Debugger listening on tcp://127.0.0.1:%d\\n" % debugpy.listen(("127.0.0.1", 0))[1])',
  ].join("\n");
  return `import sys; exec(${JSON.stringify(code)})\n`;
}
