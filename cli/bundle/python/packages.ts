import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "../../../runtime-images/python/find-python.ts";
import { CliError, EXIT } from "../../errors.ts";
import { isFile } from "../source.ts";

/** How long the packages of a function may take to install. */
const INSTALL_MS = 600_000;
/** The last lines of an installer's output that an error quotes. */
const QUOTED_LINES = 6;

const NO_WHEEL = /no matching distribution|could not find a version|no usable wheels|has no wheels|building source distributions? .*disabled|only-binary/i;

/** What the packages are installed for. */
export interface PackageTarget {
  /** The version of CPython, such as 3.11. */
  version: string;
  /** Whether they run on this machine, or in a pod on Linux x86-64. */
  isHere: boolean;
}

/** Oldest last: manylinux_2_28 is what the image's C library has at least. */
const PLATFORMS = ["manylinux_2_28", "manylinux_2_24", "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010", "manylinux_2_5", "manylinux1"];

/** Installs what `requirements.txt` names into `target`: wheels for the machine that runs them. Does nothing without that file. */
export async function installPackages(base: string, target: string, python: Python, runs: PackageTarget, say: (text: string) => void): Promise<void> {
  const requirements = join(base, "requirements.txt");
  if (!isFile(requirements)) return refuseProject(base);
  if (!/^\s*[^#\s]/m.test(readFileSync(requirements, "utf8"))) return;
  const common = ["--target", target, "--only-binary", ":all:", "-r", requirements];
  // Machines without uv have pip.
  const uv = await run("uv", ["--version"], base).catch(() => null);
  if (uv === null) refuseOthers(python, runs);
  say(`installing the packages of requirements.txt with ${uv === null ? "pip" : "uv"} for Python ${runs.version}${runs.isHere ? "" : " on Linux x86-64"}`);
  const installing =
    uv === null
      ? run(
          python.program,
          ["-m", "pip", "install", "--quiet", "--no-compile", "--no-input", "--disable-pip-version-check", ...pipTarget(runs), ...common],
          base,
        )
      : run("uv", ["pip", "install", "--quiet", "--python", python.program, ...uvTarget(python, runs), ...common], base);
  await installing.catch((error: Error & { stderr?: string; killed?: boolean }) => {
    const said = (error.stderr ?? "").trim().split("\n").slice(-QUOTED_LINES).join("\n") || error.message;
    if (error.killed) throw failed(`it was not done within ${INSTALL_MS / 60_000} minutes`);
    if (/No module named pip/.test(said)) throw new CliError("PYTHON_MISSING", `${python.program} has no pip`, "install pip for it, or uv");
    if (!NO_WHEEL.test(said)) throw failed(said);
    throw new CliError(
      "WHEEL_MISSING",
      `a package of requirements.txt has no wheel for Python ${runs.version} on ${runs.isHere ? "this platform" : "Linux x86-64"}, or does not exist: ${said}`,
      "correct its name or version; for a package without wheels, build one (pip wheel NAME) and name the .whl file in requirements.txt",
    );
  });
}

function pipTarget({ version, isHere }: PackageTarget): string[] {
  if (isHere) return [];
  return ["--implementation", "cp", "--python-version", version, ...PLATFORMS.flatMap((name) => ["--platform", `${name}_x86_64`])];
}

function uvTarget(python: Python, { version, isHere }: PackageTarget): string[] {
  const wanted = version === python.version ? [] : ["--python-version", version];
  return isHere ? wanted : [...wanted, "--python-platform", "x86_64-manylinux_2_28"];
}

/** pip judges the conditions of packages (`; sys_platform == …`) by the interpreter and machine that it runs on, whatever it installs for. */
function refuseOthers(python: Python, { version, isHere }: PackageTarget): void {
  const isAlike = python.version === version && (isHere || (process.platform === "linux" && process.arch === "x64"));
  if (isAlike) return;
  throw new CliError(
    "PYTHON_MISMATCH",
    `the function runs on Python ${version}${isHere ? "" : " on Linux x86-64"}, and this machine has ${python.version} on ${process.platform} ${process.arch}, without uv`,
    `install uv, which resolves packages for other machines, or name Python ${version} with BERTH_PYTHON`,
  );
}

/** Dependencies that are declared elsewhere are not passed over in silence. */
function refuseProject(base: string): void {
  const project = join(base, "pyproject.toml");
  const declares = isFile(project) && /^dependencies\s*=\s*\[\s*["']/m.test(readFileSync(project, "utf8"));
  if (!declares && !isFile(join(base, "uv.lock"))) return;
  throw new CliError(
    "PACKAGES_UNRESOLVED",
    `${base} declares packages in pyproject.toml or uv.lock, and has no requirements.txt`,
    "write one beside it: uv export --no-hashes --no-emit-project > requirements.txt, or pip freeze; an empty file means that none is needed",
    EXIT.usage,
  );
}

function failed(why: string): CliError {
  return new CliError(
    "PACKAGES_FAILED",
    `the packages of requirements.txt could not be installed: ${why}`,
    "correct requirements.txt, or make its index reachable",
  );
}

function run(program: string, args: string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, timeout: INSTALL_MS, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error) reject(Object.assign(error, { stderr }));
      else resolve(stdout);
    });
  });
}
