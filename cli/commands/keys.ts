import { type Command, Option } from "commander";
import { newKey, ROLES, type Role } from "../../pool-manager/client/api-keys.ts";
import { globals } from "../options/globals.ts";
import { printData } from "../output.ts";

/** Adds the command key. */
export function keyCommands(program: Command): void {
  program
    .command("key <name>")
    .description("create a key; print it, and the line that accepts it in the file of --api-keys")
    .addOption(new Option("-r, --role <role...>", "what the key may do").choices(ROLES).makeOptionMandatory())
    .action((name: string, options: { role: Role[] }, command: Command) => {
      const { format } = globals(command);
      const made = newKey(name.replaceAll(/\s/g, "-"), options.role);
      if (format === "table") process.stdout.write(`${made.key}\n${made.line}\n`);
      else printData(made, format);
    });
}
