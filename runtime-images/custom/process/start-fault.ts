import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ownMachine, readExecutable } from "../executable.ts";

/** Exit codes of a shell and of env that could not start a program. */
const NOT_STARTED = new Set([126, 127]);

interface Attempt {
  dir: string;
  path: string | undefined;
  /** Null: the system could not start it, for `error`. */
  code: number | null;
  error?: NodeJS.ErrnoException | undefined;
}

/** Why a program does not start, in words that say more than the kernel's "not found"; null: it did start. */
export function startFault([program = "", ...args]: readonly string[], { dir, path = "", code, error }: Attempt): string | null {
  if (code !== null && !NOT_STARTED.has(code)) return null;
  const name = program === "/bin/sh" && args[0] === "-c" ? (/^\s*(?:exec\s+)?([\w@%+=:,./-]+)/.exec(args[1] ?? "")?.[1] ?? program) : program;
  const file = name.includes("/") ? resolve(dir, name) : onPath(name, path);
  if (file === null) return `the command could not start: there is no program ${name} here; name one of the function's directory as ./${name}`;
  if (!existsSync(program.includes("/") ? resolve(dir, program) : file)) return `the command could not start: ${program} does not exist here`;
  if (!existsSync(file)) return `the command could not start: ${name} does not exist in the function's directory`;
  return faultOf(file, name, path) ?? (error ? `the command could not start: ${error.message}` : null);
}

function faultOf(file: string, name: string, path: string): string | null {
  const told = (what: string) => `the command could not start: ${name} ${what}`;
  if (!statSync(file).isFile()) return told("is not a file");
  if (!isExecutable(file)) return told("is not executable: chmod +x, and deploy it again");
  const found = readExecutable(file);
  if (found.kind === "foreign") return told(`is a program of ${found.system}, and this is Linux`);
  if (found.kind === "elf" && found.machine !== ownMachine()) return told(`is built for ${found.machine}, and this machine is ${ownMachine()}`);
  if (found.kind === "elf" && found.loader !== null && !existsSync(found.loader))
    return told(`needs the dynamic loader ${found.loader}, which does not exist here: link it statically`);
  if (found.kind === "script") return scriptFault(found.interpreter, told, path);
  return null;
}

function scriptFault([interpreter = "", ...args]: readonly string[], told: (what: string) => string, path: string): string | null {
  if (!existsSync(interpreter)) return told(`is a script for ${interpreter || "no interpreter"} (its first line), which does not exist here`);
  const named = interpreter.endsWith("/env") ? args.find((word) => !word.startsWith("-")) : undefined;
  return named !== undefined && onPath(named, path) === null ? told(`is a script for ${named} (its first line), which is not on the PATH here`) : null;
}

/** The file of a program by its name; null: there is none. */
function onPath(name: string, path: string): string | null {
  const dirs = (path || "/usr/local/bin:/usr/bin:/bin").split(":");
  return dirs.map((dir) => join(dir, name)).find((file) => isExecutable(file)) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
