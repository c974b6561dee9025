import { existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { BOOTSTRAP, type CommandLine } from "../../../runtime-images/custom/program.ts";
import { CliError, EXIT } from "../../errors.ts";
import { isFile } from "../source.ts";

/** The code of a command on the machine that deploys it. */
export interface CustomSource {
  /** Absolute path of the directory. */
  base: string;
  /** The only file of it that is deployed; null: all are. */
  only: string | null;
  /** The command that is started; undefined: `bootstrap`. */
  command: CommandLine | undefined;
}

/** Whether code is a command by its files: `bootstrap` is there. */
export function looksLikeCustom(from: string): boolean {
  const path = resolve(from);
  if (!existsSync(path)) return false;
  return statSync(path).isDirectory() ? isFile(join(path, BOOTSTRAP)) : basename(path) === BOOTSTRAP;
}

/** A directory, or a program alone, which is its own command. */
export function findCustomSource(from: string, command: CommandLine | undefined): CustomSource {
  const path = resolve(from);
  if (!existsSync(path)) throw new CliError("SOURCE_NOT_FOUND", `${path} does not exist`, "name a file or a directory with --from", EXIT.usage);
  if (statSync(path).isDirectory()) return { base: realpathSync(path), only: null, command };
  const only = basename(path);
  return { base: realpathSync(dirname(path)), only, command: command ?? (only === BOOTSTRAP ? undefined : `./${only}`) };
}
