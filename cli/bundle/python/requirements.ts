import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "../../../runtime-images/python/find-python.ts";
import { CliError, EXIT } from "../../errors.ts";
import { isFile } from "../source.ts";
import { type ProgramError, run } from "./programs.ts";

/** The packages that a project declares. */
export interface Requirements {
  /** Absolute path of a file in pip's format. */
  file: string;
  /** The project's file that declares them. */
  declaredIn: string;
}

const REQUIREMENTS = "requirements.txt";
const UV_LOCK = "uv.lock";
const PYPROJECT = "pyproject.toml";

const READ_MS = 30_000;
/** Prints what pyproject.toml declares as JSON. */
const READ_PYPROJECT = `
import json, sys, tomllib
with open(sys.argv[1], "rb") as file:
    content = tomllib.load(file)
project, tools = content.get("project", {}), content.get("tool", {})
others = [name for name in ("poetry", "pdm", "flit") if tools.get(name, {}).get("dependencies") or tools.get(name, {}).get("requires")]
print(json.dumps({"declared": project.get("dependencies"), "isDynamic": "dependencies" in project.get("dynamic", []), "others": others}))
`;

/** The contents of the files that declare a project's packages: packages are installed again once they change. */
export function declarations(base: string): string {
  const files = [REQUIREMENTS, UV_LOCK, PYPROJECT].map((name) => join(base, name)).filter(isFile);
  return files.map((file) => `${file}\n${readFileSync(file, "utf8")}`).join("\n");
}

/**
 * The packages of a project, without those of its extras and groups; null: it needs none. `requirements.txt` counts first, then
 * `uv.lock`, which uv exports, then `[project]` of `pyproject.toml`. Other files are written to `scratch`.
 * Throws `PACKAGES_UNRESOLVED`: they are declared in a way that Berth does not read.
 */
export async function requirementsOf(base: string, scratch: string, python: Python): Promise<Requirements | null> {
  const own = join(base, REQUIREMENTS);
  if (isFile(own)) return namesPackages(readFileSync(own, "utf8")) ? { file: own, declaredIn: REQUIREMENTS } : null;
  const [lock, project] = [join(base, UV_LOCK), join(base, PYPROJECT)];
  const file = join(scratch, REQUIREMENTS);
  if (isFile(lock)) {
    const args = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--quiet", "--project", base, "--output-file", file];
    await run("uv", args, base, READ_MS).catch((error: ProgramError) => {
      if (error.code === "ENOENT")
        throw unresolved(`${lock} is read by uv, and this machine has none`, "install uv, or write requirements.txt beside it: uv export");
      throw unresolved(`uv cannot export ${lock}: ${lastWords(error)}`, "correct pyproject.toml and run uv lock, or write requirements.txt beside it");
    });
  } else if (isFile(project)) {
    writeFileSync(file, (await declaredIn(project, python)).join("\n"));
  } else return null;
  return namesPackages(readFileSync(file, "utf8")) ? { file, declaredIn: isFile(lock) ? UV_LOCK : PYPROJECT } : null;
}

async function declaredIn(project: string, { program }: Python): Promise<string[]> {
  const text = await run(program, ["-I", "-S", "-c", READ_PYPROJECT, project], ".", READ_MS).catch((error: ProgramError) => {
    throw unresolved(`${project} cannot be read: ${lastWords(error)}`, "correct it, or write requirements.txt beside it");
  });
  const { declared, isDynamic, others } = JSON.parse(text) as { declared: string[] | null; isDynamic: boolean; others: string[] };
  if (isDynamic) throw unresolved(`${project} has dynamic dependencies, which its build backend computes`, "write requirements.txt beside it: pip freeze");
  if (declared === null && others.length > 0) {
    const fix = "move them to dependencies of [project], or write requirements.txt beside it: poetry export, pdm export, or pip freeze";
    throw unresolved(`${project} declares packages in [tool.${others[0]}] alone`, fix);
  }
  return declared ?? [];
}

/** The last line of what a program has complained. */
function lastWords({ stderr, message }: ProgramError): string {
  return stderr.split("\n").at(-1) || message;
}

function namesPackages(requirements: string): boolean {
  return /^\s*[^#\s]/m.test(requirements);
}

function unresolved(message: string, fix: string): CliError {
  return new CliError("PACKAGES_UNRESOLVED", message, fix, EXIT.usage);
}
