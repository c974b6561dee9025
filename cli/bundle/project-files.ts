import { globSync } from "tinyglobby";

/** These files of a project are never deployed: no function needs them, and `.env` has secrets of the developer's machine. */
const LEFT_OUT = ["**/.git/**", "**/.hg/**", "**/.{idea,vscode,berth}/**", "**/.env", "**/.DS_Store", "berth.{yaml,yml}"];

/** The files of a project that are deployed as it is, relative to `base`. `patterns` that begin with `!` leave out more, and so does `leftOut`. */
export function projectFiles(base: string, patterns: readonly string[], leftOut: readonly string[] = []): string[] {
  const without = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  return globSync("**/*", { cwd: base, dot: true, ignore: [...LEFT_OUT, ...leftOut, ...without] });
}
