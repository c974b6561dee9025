import { isDeepStrictEqual } from "node:util";
import { type Command, Option } from "commander";
import type { DeployAnswer, FunctionAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { SIGNATURES } from "../../runtime-images/protocol/messages.ts";
import { CliError, EXIT } from "../errors.ts";
import { functionPath, type ManageClient } from "../manage-client.ts";
import { integer, listed } from "../options/arguments.ts";
import { globals } from "../options/globals.ts";
import { printList, printOne } from "../output.ts";
import type { Wanted } from "./deploy/code.ts";
import { type LimitOptions, limitsOf, withLimitOptions } from "./deploy/limits.ts";
import { type ManifestFile, readManifest } from "./deploy/manifest-file.ts";
import { released, type Wait, waitOptions } from "./deploy/release.ts";
import { type ScalingOptions, scalingOf, withScalingOptions } from "./deploy/scaling.ts";
import { type VariableOptions, variablesOf, withVariableOptions } from "./deploy/variables.ts";
import { scheduledInWords, shownScheduled } from "./sizing/warm-option.ts";
import { whole } from "./whole.ts";

interface DeployOptions extends VariableOptions, LimitOptions, ScalingOptions {
  from?: string;
  image?: string;
  file?: string;
  include: string[];
  external: string[];
  entry?: string;
  runtime?: string;
  handler?: string;
  command?: string;
  health?: string;
  signature?: string;
  timeout?: string;
  loadTimeout?: string;
  concurrency?: number;
  canary?: number;
  wait: Wait;
  rollout?: string;
  rolloutInterval?: string;
  rolloutParallel?: number;
  rolloutMaxErrors?: number;
}

/** How long a new function with an image may take to load: a node may have to download the image. */
const IMAGE_LOAD_TIMEOUT = "60s";

/** Adds the commands deploy, list, get, scale, rollback and delete. */
export function functionCommands(program: Command): void {
  withScalingOptions(
    waitOptions(withLimitOptions(withVariableOptions(program.command("deploy <name>"))))
      .description(
        "deploy code: a directory or a file; TypeScript and npm dependencies are bundled, Python and its packages are packed, commands are deployed as they are",
      )
      .option("--from <path>", "directory or file with the code; left out: only settings change")
      .option("--image <reference>", "image whose program is started instead of code, on a cluster; a tag is resolved to its digest")
      .option("-f, --file <manifest>", "YAML or JSON manifest; a berth.yaml beside the code is used by default")
      .option("--include <glob>", "files that are deployed beside the code, relative to it (repeatable); !GLOB excludes some", listed, [])
      .option("--external <name>", "package that is deployed as it is installed, not bundled (repeatable)", listed, [])
      .option("--runtime <name>", "runtime that the code needs: node, python or custom; left out: found from its files")
      .option("--entry <file[:attribute]>", "Python: the module to load, relative to the code, and what handles invocations in it")
      .option("--handler <export>", "export that handles invocations")
      .option("--command <command>", "what is started in the code's directory or in the image, and listens on $PORT (runtime custom)")
      .option("--health <path>", "path that answers with a status from 200 to 299 once the command can serve")
      .addOption(new Option("--signature <kind>", "how the handler is called").choices([...new Set(Object.values(SIGNATURES).flat())]))
      .option("--timeout <duration>", "how long one invocation may run, such as 30s")
      .option("--load-timeout <duration>", "how long the code may take to load")
      .option("--concurrency <n>", "simultaneous invocations per instance", whole)
      .option("--canary <percent>", "the new revision gets this share of the invocations beside the active one", integer(0, 100))
      .option("--rollout <steps>", "how new revisions take over: after each step so many instances, or a share, such as 1,25%,50%; off: at once")
      .option("--rollout-interval <duration>", "how long each step is watched before the next")
      .option("--rollout-parallel <n>", "maximum number of instances that change at a time", whole)
      .option("--rollout-max-errors <percent>", "percent of the new revision's invocations that may fail", whole),
  ).action(async (name: string, options: DeployOptions, command: Command) => {
    const { api, format, say } = globals(command);
    const file = readManifest(options);
    const before = await present(api, name);
    const { notes, ...manifest } = manifestOf(options, file.settings, before);
    const exists = before !== null;
    checkSource(name, exists, options, manifest);
    const beside = filesBeside(options, file);
    if (options.from) {
      const { uploadCode } = await import("./deploy/code.ts");
      const { handler, ...uploaded } = await uploadCode(api, { ...beside, from: options.from, ...inForce(manifest, before), say });
      Object.assign(manifest, uploaded, handler && { handler });
    }
    const result = await released(api, name, { manifest, before, canary: options.canary, wait: options.wait, say });
    for (const note of notes) say(`${name}: ${note}`);
    say(outcomeOf(result, before, options.canary));
    if (format !== "table") printOne(result, format);
    else if (result.url) process.stdout.write(`${result.url}\n`);
    else say(`${name} is invoked at a router, as /function/${name}; the pool manager's --invoke-url says where clients reach the routers`);
  });

  program
    .command("list")
    .alias("ls")
    .description("list functions")
    .action(async (_options: object, command: Command) => {
      const { api, format, say } = globals(command);
      const { items } = await api.get<{ items: FunctionAnswer[] }>("/v1/functions");
      const columns = [
        { title: "NAME", value: (fn: FunctionAnswer) => fn.name },
        { title: "RUNTIME", value: (fn: FunctionAnswer) => fn.runtime },
        { title: "REVISION", value: (fn: FunctionAnswer) => (fn.ending ? `${fn.revision} (ending)` : fn.revision) },
        { title: "WARM", value: (fn: FunctionAnswer) => fn.instances.warm },
        { title: "SCALE", value: (fn: FunctionAnswer) => `${fn.minScale}–${fn.maxScale}` },
        { title: "CONCURRENCY", value: (fn: FunctionAnswer) => fn.concurrency },
        { title: "URL", value: (fn: FunctionAnswer) => fn.url ?? "-" },
      ];
      printList(items, columns, format);
      if (format !== "table") return;
      for (const { name, scheduled } of items) if (scheduled) say(`${name}: ${scheduledInWords(scheduled)}`);
      for (const { name, problems } of items) for (const problem of problems) say(`${name}: ${problem}`);
    });

  program
    .command("get <name>")
    .description("show a function")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, format } = globals(command);
      const view = await api.get<FunctionAnswer>(functionPath(name));
      printOne(format === "table" ? { ...view, ...shownScheduled(view) } : view, format);
    });

  withScalingOptions(program.command("scale <name>").description("change the number of instances of a function")).action(
    async (name: string, options: ScalingOptions, command: Command) => {
      const { api, format, say } = globals(command);
      const change = scalingOf(options);
      if (Object.keys(change).length === 0)
        throw new CliError(
          "NOTHING_TO_CHANGE",
          "no scale was given",
          "use --min, --max, --warm, --idle-timeout, --queue-depth, --queue-timeout or --scaling-window",
          EXIT.usage,
        );
      const result = (await api.call("PATCH", functionPath(name), change)) as FunctionAnswer;
      say(`${name} has ${result.minScale} to ${result.maxScale} instances${result.scheduled ? `; now ${scheduledInWords(result.scheduled)}` : ""}`);
      if (format !== "table") printOne(result, format);
    },
  );

  program
    .command("rollback <name>")
    .description("return to an older revision")
    .option("--revision <id>", "the revision; by default the one that was active before")
    .action(async (name: string, { revision }: { revision?: string }, command: Command) => {
      const { api, format, say } = globals(command);
      const result = (await api.call("POST", functionPath(name, "/rollback"), revision ? { revision } : {})) as FunctionAnswer;
      say(`${name} is at ${result.revision}`);
      if (format !== "table") printOne(result, format);
    });

  program
    .command("delete <name>")
    .alias("rm")
    .description("delete a function; running invocations have two more seconds")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, say } = globals(command);
      await api.call("DELETE", functionPath(name));
      say(`deleted ${name}`);
    });
}

/** The deployed function, together with the variables of a revision that is taking over; null: it is not deployed. */
async function present(api: ManageClient, name: string): Promise<FunctionAnswer | null> {
  const path = functionPath(name);
  const view = await api.get<FunctionAnswer>(path).catch((error: CliError) => {
    if (error.code === "FUNCTION_NOT_FOUND") return null;
    throw error;
  });
  const { rolling } = view ?? {};
  if (!view || (rolling?.state !== "rolling" && rolling?.state !== "paused")) return view;
  const { items } = await api.get<{ items: (Pick<FunctionAnswer, "env" | "secrets"> & { id: string })[] }>(`${path}/revisions`);
  const next = items.find(({ id }) => id === rolling.to);
  return next ? { ...view, env: { ...view.env, ...next.env }, secrets: [...view.secrets, ...next.secrets] } : view;
}

const APART_FROM_REVISIONS = ["minScale", "maxScale", "warm", "idleTimeout", "queueDepth", "queueTimeout", "scaling", "rollout"] as const;

function outcomeOf(result: DeployAnswer, before: FunctionAnswer | null, canary: number | undefined): string {
  const { name, newRevision, revision, rolling, split } = result;
  if (rolling?.state === "rolling") return `${rolling.to} takes over from ${revision} step by step: berth rollout status ${name}`;
  const [shared] = Object.entries(split);
  if (canary !== undefined && shared?.[1] === canary) return `${shared[0]} gets ${canary} percent of the invocations of ${name} beside ${revision}`;
  if (newRevision) return `deployed ${name} as ${revision}`;
  if (before && before.revision !== revision) return `${name} went back to ${revision}, which was deployed with this content before`;
  const changed = APART_FROM_REVISIONS.filter((field) => before && !isDeepStrictEqual(before[field], result[field]));
  return changed.length > 0 ? `${name} stays at ${revision}; changed: ${changed.join(", ")}` : `${name} is unchanged: ${revision}`;
}

/** Throws if a new function has no source, or has two. A new function with an image gets time to download it. */
function checkSource(name: string, exists: boolean, { from, image }: DeployOptions, manifest: Record<string, unknown>): void {
  if (from && image !== undefined) throw new CliError("SOURCE_MISSING", "--from and --image name two programs", "name the code or the image", EXIT.usage);
  if (exists) return;
  const isImage = typeof manifest.image === "string";
  if (!from && !isImage)
    throw new CliError("SOURCE_MISSING", `${name} is not deployed yet`, "name its code with --from, or its image with --image", EXIT.usage);
  if (!from) manifest.loadTimeout ??= IMAGE_LOAD_TIMEOUT;
}

/** The options about the code itself, from the command line and the manifest. */
function filesBeside(options: DeployOptions, file: ManifestFile): Pick<ManifestFile, "include" | "external" | "entry"> {
  if (!options.from && (options.include.length + options.external.length > 0 || options.entry !== undefined))
    throw new CliError("SOURCE_MISSING", "--include, --external and --entry require code", "name the code with --from", EXIT.usage);
  return { include: [...file.include, ...options.include], external: [...file.external, ...options.external], entry: options.entry ?? file.entry };
}

/** The way in which a deployment's code runs: by the deployment, or else by the function as it is. */
function inForce(manifest: Record<string, unknown>, before: FunctionAnswer | null): Pick<Wanted, "runtime" | "command" | "hasConcurrency"> {
  const { runtime = before?.runtime, command = before?.command, concurrency = before?.concurrency } = manifest;
  return { runtime: runtime as string | undefined, command: command as Wanted["command"], hasConcurrency: concurrency !== undefined };
}

/** The change of a deployed function, or the manifest of a new one (`before` is null); `notes` name the variables that are removed. */
function manifestOf(options: DeployOptions, file: Record<string, unknown>, before: FunctionAnswer | null): Record<string, unknown> & { notes: string[] } {
  const { env, secrets, ...settings } = file;
  const present = before && { env: Object.keys(before.env), secrets: before.secrets };
  const variables = variablesOf(options, { env, secrets }, present);
  const { scaling, ...scale } = scalingOf(options);
  const manifest: Record<string, unknown> = { ...settings, ...scale };
  if (scaling !== undefined) manifest.scaling = scaling && { ...(manifest.scaling as object | null), ...scaling };
  for (const field of ["runtime", "handler", "image", "command", "health", "signature", "timeout", "loadTimeout", "concurrency"] as const) {
    if (options[field] !== undefined) manifest[field] = options[field];
  }
  Object.assign(manifest, limitsOf(options, before === null));
  const rollout = rolloutOf(options);
  if (rollout !== undefined) manifest.rollout = rollout && { ...(manifest.rollout as object | null), ...rollout };
  return { ...manifest, ...variables };
}

function rolloutOf({ rollout, rolloutInterval, rolloutParallel, rolloutMaxErrors }: DeployOptions): object | null | undefined {
  if (rollout === "off") return null;
  const steps = rollout?.split(",").map((step) => (/^\d+$/.test(step.trim()) ? Number(step) : step.trim()));
  const given = Object.entries({ steps, interval: rolloutInterval, parallel: rolloutParallel, maxErrors: rolloutMaxErrors });
  const defined = given.filter(([, value]) => value !== undefined);
  return defined.length > 0 ? Object.fromEntries(defined) : undefined;
}
