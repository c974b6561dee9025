import { dirname } from "node:path";
import { globSync } from "tinyglobby";

/** These files of a project's directory are not deployed: no function needs them, and `.env` has secrets of the developer's machine. */
const LEFT_OUT = [
  "**/__pycache__/**",
  "**/*.pyc",
  "**/.git/**",
  "**/.hg/**",
  "**/.venv/**",
  "**/node_modules/**",
  "**/.{mypy,pytest,ruff}_cache/**",
  "**/.{tox,nox,idea,vscode,berth}/**",
  "**/.env",
  "**/.DS_Store",
  "berth.{yaml,yml}",
];

/** What is left out of installed packages: scripts, which name this machine's interpreter, and tests, which may be as large as the rest. */
const LEFT_OUT_OF_PACKAGES = ["bin/**", "*/**/tests/**", "**/__pycache__/**"];

/** The files of a project that are deployed, relative to `base`. `patterns` that begin with `!` leave out more. */
export function projectFiles(base: string, patterns: readonly string[]): string[] {
  const without = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const environments = globSync("**/pyvenv.cfg", { cwd: base, dot: true, ignore: ["**/node_modules/**"] }).map((file) => `${dirname(file)}/**`);
  return globSync("**/*", { cwd: base, dot: true, ignore: [...LEFT_OUT, ...without, ...environments] });
}

export function packageFiles(dir: string): string[] {
  return globSync("**/*", { cwd: dir, dot: true, ignore: LEFT_OUT_OF_PACKAGES });
}
