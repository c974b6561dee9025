// Builds the worker's directory: its modules, the packages of requirements.txt, and their bytecode. Without Python it is left out.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildOptional, lastLine } from "../build/optional-part.mjs";

const HERE = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const DIST = join(HERE, "dist");
const SOURCES = ["main.py", "berth_worker"];
const INSTALL_MS = 120_000;
const OLDEST = [3, 11];

export function buildPython() {
  const key = keyOf([...SOURCES, "requirements.txt"]);
  buildOptional({
    part: "the runtime python",
    missing: join(HERE, "dist-missing"),
    isBuilt: () => read(join(DIST, "built")) === key,
    build: () => build(key),
  });
}

/** Returns why it could not be built; null: it was. */
function build(key) {
  const python = process.env.BERTH_PYTHON || "python3";
  const version = spawnSync(python, ["-I", "-c", "import sys; print(*sys.version_info[:2], sys.implementation.cache_tag)"], { encoding: "utf8" });
  if (version.status !== 0) return `${python} does not run`;
  const [major, minor, cacheTag] = version.stdout.trim().split(" ");
  if (Number(major) !== OLDEST[0] || Number(minor) < OLDEST[1]) return `${python} is ${major}.${minor}, and 3.11 or newer is needed`;
  const next = `${DIST}.${process.pid}.tmp`;
  try {
    mkdirSync(next);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "15"];
    const what = ["--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes", "-r", join(HERE, "requirements.txt")];
    run(python, [...pip, ...what, "--root-user-action", "ignore", "--target", join(next, "site-packages")]);
    for (const name of SOURCES) cpSync(join(HERE, name), join(next, name), { recursive: true, filter: (path) => !path.includes("__pycache__") });
    run(python, ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "."], next);
    // A start with another interpreter compiles for that one: bytecode.ts.
    writeFileSync(join(next, `compiled-${cacheTag}`), "");
    writeFileSync(join(next, "built"), key);
    rmSync(DIST, { recursive: true, force: true });
    renameSync(next, DIST);
    return null;
  } catch (error) {
    return `its packages could not be installed: ${lastLine(error)}`;
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

function run(python, args, cwd = HERE) {
  execFileSync(python, args, { cwd, stdio: ["ignore", "ignore", "pipe"], timeout: INSTALL_MS, encoding: "utf8" });
}

function keyOf(names) {
  const hash = createHash("sha256");
  for (const name of names) for (const path of filesOf(join(HERE, name))) hash.update(path.slice(HERE.length)).update(readFileSync(path));
  return hash.digest("hex");
}

function filesOf(path) {
  if (path.endsWith("__pycache__")) return [];
  const entries = readdirSafe(path);
  return entries ? entries.sort().flatMap((name) => filesOf(join(path, name))) : [path];
}

function readdirSafe(path) {
  try {
    return readdirSync(path);
  } catch {
    return null;
  }
}

function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}
