import { Server } from "node:http";
import type { LoadSettings, Signature } from "../../protocol/messages.ts";
import { explainAddonError } from "../addon-error.ts";
import { type Handle, invokerOf } from "../invocation/invoker.ts";
import type { Upgrade } from "../invocation/upgrade.ts";
import type { LoadedFrom } from "../loaded-from.ts";
import { eventHandle } from "../signatures/event.ts";
import { fetchHandle, restoreFetchClasses } from "../signatures/fetch.ts";
import { lambdaHandle } from "../signatures/lambda.ts";
import { nodeHandle } from "../signatures/node-style.ts";
import { importModule } from "./import.ts";
import type { Loaded } from "./language.ts";
import { mapStacks } from "./stacks.ts";
import { locateSyntaxError } from "./syntax.ts";

type Exports = Record<string, unknown> & { default?: unknown };

/** Imports the module and finds its handler. Throws the module's own error, or one that names what is missing. */
export async function loadFunction(from: LoadedFrom): Promise<Loaded> {
  mapStacks(from.file);
  const module = (await importModule(from.file).catch(async (error) => {
    throw explainAddonError(await locateSyntaxError(error, from.file));
  })) as Exports;
  const { target, signature } = choose(module, from.settings);
  return { invoke: invokerOf(handleOf(target, signature, from)), upgrade: upgradeOf(module) };
}

function handleOf(target: unknown, signature: Signature, from: LoadedFrom): Handle {
  if (signature === "fetch") return fetchHandle(target, from);
  restoreFetchClasses();
  if (signature === "event") return eventHandle(target);
  if (signature === "lambda-1.0") return lambdaHandle(target, from, "1.0");
  return signature === "lambda" ? lambdaHandle(target, from) : nodeHandle(target);
}

/**
 * The export `upgrade(req, socket, head)` of the module or of its default export, which has the parameters of node:http's
 * event of that name, or that event of an exported server with a listener for it, as packages for WebSockets attach one.
 */
function upgradeOf(module: Exports): Upgrade | null {
  for (const owner of [module, module.default as Exports | undefined, (module.default as Exports | undefined)?.default as Exports | undefined]) {
    if (owner instanceof Server) return owner.listenerCount("upgrade") > 0 ? (...args) => owner.emit("upgrade", ...args) : null;
    if (typeof owner?.upgrade === "function") return owner.upgrade.bind(owner) as Upgrade;
  }
  return null;
}

interface Choice {
  target: unknown;
  signature: Signature;
}

/**
 * Chooses the export that handles invocations, and its signature if the settings have none; the first row that matches
 * decides. `event` looks like `node`, and is chosen by the settings only.
 *
 * | export                              | signature |
 * |-------------------------------------|-----------|
 * | default (or named) object .fetch()  | fetch     |
 * | `handler` (or the named export)     | lambda    |
 * | default function, ≥ 2 parameters    | node      |
 * | default function, < 2 parameters    | fetch     |
 * | node:http server                    | node      |
 */
function choose(module: Exports, { handler, signature }: LoadSettings): Choice {
  const choices = handler ? choiceOf(exported(module, handler), lambda) : found(module);
  const [first] = choices;
  if (!first) throw new Error(missing(module, handler));
  if (!signature) return first;
  const fitting = choices.find(({ target }) => fits(target, signature));
  if (!fitting) throw new Error(`the signature "${signature}" requires a function, and ${handler ?? "what the module exports"} is not one`);
  return { target: fitting.target, signature };
}

/** All exports that could handle invocations, in order of preference. */
function found(module: Exports): Choice[] {
  const inner = module.default as Exports | undefined;
  const plain = [inner, inner?.default].flatMap((value) => choiceOf(value, byParameters));
  const objects = plain.filter(({ target }) => hasFetch(target));
  return [...objects, ...choiceOf(exported(module, "handler"), lambda), ...plain.filter((choice) => !objects.includes(choice))];
}

/** The export of this name; an ES module bundled from CommonJS has module.exports as its default export. */
function exported(module: Exports, name: string): unknown {
  return module[name] ?? (module.default as Exports | undefined)?.[name];
}

/** One choice, or none if the target cannot be called. */
function choiceOf(target: unknown, ofFunction: (target: { length: number }) => Signature): Choice[] {
  if (hasFetch(target)) return [{ target, signature: "fetch" }];
  if (target instanceof Server) return [{ target, signature: "node" }];
  return typeof target === "function" ? [{ target, signature: ofFunction(target) }] : [];
}

const lambda = (): Signature => "lambda";
const byParameters = ({ length }: { length: number }): Signature => (length >= 2 ? "node" : "fetch");

function fits(target: unknown, signature: Signature): boolean {
  if (typeof target === "function") return true;
  return signature === "fetch" ? hasFetch(target) : signature === "node" && target instanceof Server;
}

function hasFetch(value: unknown): boolean {
  return typeof (value as { fetch?: unknown } | null | undefined)?.fetch === "function";
}

function missing(module: Exports, handler: string | null): string {
  const names = Object.keys(module).join(", ") || "nothing";
  const wanted = handler ? `no export "${handler}"` : "no handler";
  return `${wanted} was found (the module exports ${names}); name an export with --handler, or export default { fetch(request) {…} }, exports.handler = async (event) => …, or module.exports = (req, res) => …`;
}
