import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { readExecutable } from "../../../runtime-images/custom/executable.ts";
import { BOOTSTRAP, ownProgram } from "../../../runtime-images/custom/program.ts";
import { CliError, EXIT } from "../../errors.ts";
import { isFile } from "../source.ts";
import type { CustomSource } from "./custom-source.ts";

/** Checks a command as far as that is possible before it is deployed to machines of this architecture. Only the load tells whether its machine lacks something, such as an interpreter. */
export function checkProgram({ base, command }: CustomSource, machine: string): void {
  const program = command === undefined ? BOOTSTRAP : ownProgram(command);
  if (program === null) return;
  const file = join(base, program);
  const refuse = (code: string, what: string, fix: string) => new CliError(code, `${file} ${what}`, fix, EXIT.usage);
  if (!isFile(file)) {
    const fix =
      command === undefined ? "add it, or name what is started with --command" : "name a file of the directory, such as ./server, or a program by its name";
    throw refuse("COMMAND_MISSING", "does not exist", fix);
  }
  const found = readExecutable(file);
  const fix = `build it for Linux on ${machine}; with Go: GOOS=linux GOARCH=${machine} CGO_ENABLED=0 go build`;
  if (found.kind === "foreign") throw refuse("COMMAND_FOREIGN", `is a program of ${found.system}`, fix);
  if (found.kind === "elf" && found.machine !== machine) throw refuse("COMMAND_FOREIGN", `is built for ${found.machine}`, fix);
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw refuse("COMMAND_NOT_EXECUTABLE", "is not executable", `chmod +x ${program}`);
  }
}
