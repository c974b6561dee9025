import { dirname } from "node:path";
import { globSync } from "tinyglobby";
import { projectFiles } from "../project-files.ts";

/** Files that tools of Python leave in a project. */
const OF_TOOLS = ["**/__pycache__/**", "**/*.pyc", "**/.venv/**", "**/node_modules/**", "**/.{mypy,pytest,ruff}_cache/**", "**/.{tox,nox}/**"];

/** Files of installed packages that are left out: scripts, which name this machine's interpreter, and tests, which may be as large as the rest. */
const LEFT_OUT_OF_PACKAGES = ["bin/**", "*/**/tests/**", "**/__pycache__/**"];

/** The files of a Python project that are deployed, relative to `base`. `patterns` that begin with `!` leave out more. */
export function pythonFiles(base: string, patterns: readonly string[]): string[] {
  const environments = globSync("**/pyvenv.cfg", { cwd: base, dot: true, ignore: ["**/node_modules/**"] }).map((file) => `${dirname(file)}/**`);
  return projectFiles(base, patterns, [...OF_TOOLS, ...environments]);
}

export function packageFiles(dir: string): string[] {
  return globSync("**/*", { cwd: dir, dot: true, ignore: LEFT_OUT_OF_PACKAGES });
}
