import type { Python } from "../../../runtime-images/python/find-python.ts";
import { CliError } from "../../errors.ts";
import { removeDirectory, temporaryDirectory } from "../../temporary-directory.ts";
import { type ProgramError, run } from "./programs.ts";
import { type Requirements, requirementsOf } from "./requirements.ts";

/** How long the packages of a function may take to install. */
const INSTALL_MS = 600_000;
/** The last lines of an installer's output that an error quotes. */
const QUOTED_LINES = 6;

const NO_WHEEL = /no matching distribution|could not find a version|no usable wheels|has no wheels|building source distributions? .*disabled|only-binary/i;

/** The interpreter and machine that the packages are installed for. */
export interface PackageTarget {
  /** The version of CPython, such as 3.11. */
  version: string;
  /** Whether they run on this machine, or in a pod on Linux x86-64. */
  isHere: boolean;
}

/** Oldest last: manylinux_2_28 is what the image's C library has at least. */
const PLATFORMS = ["manylinux_2_28", "manylinux_2_24", "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010", "manylinux_2_5", "manylinux1"];

/** Installs the packages that a project declares into `target`: wheels for the machine that runs them. Does nothing if there are none. */
export async function installPackages(base: string, target: string, python: Python, runs: PackageTarget, say: (text: string) => void): Promise<void> {
  const scratch = temporaryDirectory("berth-requirements-");
  try {
    const requirements = await requirementsOf(base, scratch, python);
    if (requirements) await install(requirements, base, target, python, runs, say);
  } finally {
    removeDirectory(scratch);
  }
}

async function install(
  { file, declaredIn }: Requirements,
  base: string,
  target: string,
  python: Python,
  runs: PackageTarget,
  say: (text: string) => void,
): Promise<void> {
  // Machines without uv have pip.
  const hasUv = await run("uv", ["--version"], base, INSTALL_MS).then(
    () => true,
    () => false,
  );
  const common = ["--target", target, "--only-binary", ":all:", "-r", file];
  if (!hasUv) refuseOthers(python, runs);
  say(`installing the packages of ${declaredIn} with ${hasUv ? "uv" : "pip"} for Python ${runs.version}${runs.isHere ? "" : " on Linux x86-64"}`);
  const installing = hasUv
    ? run("uv", ["pip", "install", "--quiet", "--python", python.program, ...uvTarget(python, runs), ...common], base, INSTALL_MS)
    : run(
        python.program,
        ["-m", "pip", "install", "--quiet", "--no-compile", "--no-input", "--disable-pip-version-check", ...pipTarget(runs), ...common],
        base,
        INSTALL_MS,
      );
  await installing.catch((error: ProgramError) => {
    const said = error.stderr.split("\n").slice(-QUOTED_LINES).join("\n") || error.message;
    if (error.killed) throw failed(declaredIn, `it was not done within ${INSTALL_MS / 60_000} minutes`);
    if (/No module named pip/.test(said)) throw new CliError("PYTHON_MISSING", `${python.program} has no pip`, "install pip for it, or uv");
    if (!NO_WHEEL.test(said)) throw failed(declaredIn, said);
    throw new CliError(
      "WHEEL_MISSING",
      `a package of ${declaredIn} has no wheel for Python ${runs.version} on ${runs.isHere ? "this platform" : "Linux x86-64"}, or does not exist: ${said}`,
      "correct its name or version; for a package without wheels, build one (pip wheel NAME) and name the .whl file",
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

function failed(declaredIn: string, why: string): CliError {
  return new CliError("PACKAGES_FAILED", `the packages of ${declaredIn} could not be installed: ${why}`, `correct ${declaredIn}, or make its index reachable`);
}
