import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type Command, InvalidArgumentError } from "commander";
import { CliError, EXIT } from "../../errors.ts";
import { listed } from "../../options/arguments.ts";

type Values = Record<string, string>;
type Changes = Record<string, string | null>;

export interface VariableOptions {
  env: Values;
  envFile: Values;
  secret: Values;
  unset: string[];
}

/** Names of the variables and secrets that a function has. */
export interface Present {
  env: readonly string[];
  secrets: readonly string[];
}

export interface VariableChange {
  env?: Changes;
  secrets?: Changes;
  /** Messages about what is removed. */
  notes: string[];
}

/** Adds the options -e, --env-file, --secret and --unset. */
export function withVariableOptions(command: Command): Command {
  return command
    .option("-e, --env <K=V>", "environment variable (repeatable); others stay", keyValue, {})
    .option("--env-file <file>", "environment variables of a file in dotenv format (repeatable); -e overrides it, others stay", readEnvFile, {})
    .option("--secret <K=V>", "secret variable (repeatable); others stay; K alone takes it from your environment", secretValue, {})
    .option("--unset <name>", "remove a variable or secret (repeatable)", listed, []);
}

/**
 * A deployment's changes of a function's variables, as a JSON Merge Patch. If a manifest declares `env`, variables that it
 * lacks are removed. Its `secrets`, and the options, are added to those that the function has.
 */
export function variablesOf(options: VariableOptions, declared: Record<string, unknown>, present: Present | null): VariableChange {
  const env = merged("env", declared.env, { ...options.envFile, ...options.env });
  const secrets = merged("secrets", declared.secrets, options.secret);
  const notes: string[] = [];
  for (const name of declared.env === undefined ? [] : (present?.env ?? [])) {
    if (Object.hasOwn(env, name) || options.unset.includes(name)) continue;
    env[name] = null;
    notes.push(`the variable ${name} is removed: the manifest declares env without it`);
  }
  for (const name of options.unset) notes.push(...unset(name, options, { env, secrets }, present));
  const changes = Object.entries({ env: given(env, present), secrets: given(secrets, present) });
  return { ...Object.fromEntries(changes.filter(([, change]) => change !== undefined)), notes };
}

/** Removes a name, unless an option also sets it, and returns messages. `--unset S -e S=1` turns a secret into a variable. */
function unset(name: string, options: VariableOptions, { env, secrets }: { env: Changes; secrets: Changes }, present: Present | null): string[] {
  const [asVariable, asSecret] = [Object.hasOwn({ ...options.envFile, ...options.env }, name), Object.hasOwn(options.secret, name)];
  if (!asVariable) env[name] = null;
  if (!asSecret) secrets[name] = null;
  if (asVariable || asSecret) return [];
  if (present?.env.includes(name)) return [`the variable ${name} is removed`];
  return [present?.secrets.includes(name) ? `the secret ${name} is removed` : `${name} was not set`];
}

/** The changes; undefined: there are none. A new function (`present` is null) has nothing to remove. */
function given(changes: Changes, present: Present | null): Changes | undefined {
  const entries = Object.entries(changes).filter(([, value]) => present !== null || value !== null);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function merged(field: "env" | "secrets", declared: unknown, given: Values): Changes {
  const changes: Changes = Object.create(null) as Changes;
  for (const [name, value] of [...Object.entries(mapOf(field, declared)), ...Object.entries(given)]) changes[name] = value;
  return changes;
}

function mapOf(field: string, declared: unknown): Values {
  if (declared === undefined || declared === null) return {};
  if (typeof declared !== "object" || Array.isArray(declared)) throw invalid(field, "must be an object: names and their values");
  for (const [name, value] of Object.entries(declared)) {
    if (value === null) throw invalid(`${field}.${name}`, 'has no value: write "" for an empty one');
  }
  return declared as Values;
}

function invalid(field: string, message: string): CliError {
  return new CliError("MANIFEST_INVALID", `${field}: ${message}`, "correct the field in the manifest", EXIT.usage);
}

export function keyValue(text: string, known: Values): Values {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError(`"${text}" is not K=V.`);
  return { ...known, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Parses a secret. On the command line it would show in process listings; its name alone takes it from the environment. */
export function secretValue(text: string, known: Values): Values {
  const value = process.env[text];
  return !text.includes("=") && value !== undefined ? { ...known, [text]: value } : keyValue(text, known);
}

/** Reads a file in dotenv format. Throws for lines that Node's parser would silently skip. */
export function readEnvFile(path: string, known: Values): Values {
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new CliError("ENV_FILE_INVALID", (error as Error).message, "name a readable file with --env-file", EXIT.usage);
  }
  const values = parseEnv(text) as Values;
  // A line without an assignment may belong to a quoted value, and end it.
  const lines = text.split(/\r?\n/).map((line) => line.trim().replace(/["'`]$/, ""));
  const skipped = lines.find((line) => line !== "" && !/[#=]/.test(line) && !Object.values(values).some((value) => value.includes(line)));
  const invalidName = Object.keys(values).find((name) => !/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name));
  const invalid = skipped ?? invalidName?.trim();
  if (invalid !== undefined)
    throw new CliError("ENV_FILE_INVALID", `${path}: ${JSON.stringify(invalid)} is not NAME=VALUE`, "use letters, digits and _ in names", EXIT.usage);
  return { ...known, ...values };
}
