import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { CliError, EXIT } from "../errors.ts";
import { globals } from "../options/globals.ts";
import { printList } from "../output.ts";
import { packageRoot } from "../package-root.ts";

export interface Template {
  name: string;
  language: string;
  signature: string;
  about: string;
  /** The command that makes a program of it, in its directory; none if it runs from its sources. */
  build?: string;
}

const TYPES_MODULE = "@berth-faas/berth/handlers";

/** Adds the command init. */
export function initCommands(program: Command): void {
  program
    .command("init [dir]")
    .description("write a first function; files that exist are kept")
    .option("-t, --template <name>", "what to write; --list shows the names", "fetch-ts")
    .option("-l, --list", "list the templates")
    .action((dir: string | undefined, { template, list }: { template: string; list?: boolean }, command: Command) => {
      const { format, say } = globals(command);
      if (list) return listTemplates(format);
      const target = dir ?? ".";
      for (const file of writeTemplate(template, target)) process.stdout.write(`${join(target, file)}\n`);
      const { build = existsSync(join(target, "package.json")) ? "npm install" : null } = templateOf(template);
      if (build) say(`cd ${target} && ${build}`);
      say(`berth dev ${target}`);
    });
}

/** Writes a template's files, and returns their names. Throws before anything is written if one of them exists. */
export function writeTemplate(name: string, dir: string): string[] {
  const files = filesOf(templateOf(name).name);
  const target = resolve(dir);
  const existing = [...files.keys()].filter((file) => existsSync(join(target, file)));
  if (existing.length > 0) {
    throw new CliError(
      "FILES_EXIST",
      `${target} has ${existing.join(", ")} already`,
      "name another directory: berth init DIRECTORY; nothing was written",
      EXIT.usage,
    );
  }
  mkdirSync(target, { recursive: true });
  for (const [file, content] of files) writeFileSync(join(target, file), content, { flag: "wx" });
  return [...files.keys()];
}

function filesOf(name: string): Map<string, string> {
  const from = join(packageRoot(), "templates", name);
  const files = new Map(readdirSync(from).map((file) => [file, readFileSync(join(from, file), "utf8")]));
  if ([...files.values()].some((content) => content.includes(TYPES_MODULE))) files.set("berth.d.ts", ambientTypes());
  return files;
}

/** The types of handlers as a declaration of the module that exports them, so that a project needs no package for them. */
function ambientTypes(): string {
  const types = readFileSync(join(packageRoot(), "types/handlers.d.ts"), "utf8");
  return `// Not needed once the package @berth-faas/berth is installed here: it exports the same.\ndeclare module "${TYPES_MODULE}" {\n${types.replace(/^(?=.)/gm, "  ")}}\n`;
}

function templateOf(name: string): Template {
  const found = templates().find((template) => template.name === name);
  if (found) return found;
  const known = templates().map((template) => template.name);
  throw new CliError(
    "TEMPLATE_UNKNOWN",
    `there is no template ${JSON.stringify(name)}; there are: ${known.join(", ")}`,
    "name one of them with --template",
    EXIT.usage,
  );
}

export function templates(): Template[] {
  return JSON.parse(readFileSync(join(packageRoot(), "templates/templates.json"), "utf8")) as Template[];
}

function listTemplates(format: Parameters<typeof printList>[2]): void {
  const columns = (["name", "language", "signature", "about"] as const).map((field) => ({
    title: field.toUpperCase(),
    value: (template: Template) => template[field],
  }));
  printList(templates(), columns, format);
}
