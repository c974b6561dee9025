import type { LoadSettings, Signature } from "../protocol/messages.ts";
import { eventHandle } from "./event.ts";
import { fetchHandle } from "./fetch.ts";
import { importModule } from "./import.ts";
import { type Handle, type Invoker, invokerOf } from "./invoker.ts";
import type { LoadedFrom } from "./ipc.ts";
import { lambdaHandle } from "./lambda.ts";
import { nodeHandle } from "./node-style.ts";
import { mapStacks } from "./stacks.ts";
import { locateSyntaxError } from "./syntax.ts";
import type { Upgrade } from "./upgrade.ts";

type Exports = Record<string, unknown> & { default?: unknown };

export interface Loaded {
  invoke: Invoker;
  /** Null: the function takes no WebSockets. */
  upgrade: Upgrade | null;
}

/** Imports the module and finds its handler. Throws the module's own error, or one that says what is missing. */
export async function loadFunction(from: LoadedFrom): Promise<Loaded> {
  mapStacks(from.file);
  const module = (await importModule(from.file).catch(async (error) => {
    throw await locateSyntaxError(error, from.file);
  })) as Exports;
  const { target, signature } = choose(module, from.settings);
  return { invoke: invokerOf(handleOf(target, signature, from)), upgrade: upgradeOf(module) };
}

function handleOf(target: unknown, signature: Signature, from: LoadedFrom): Handle {
  if (signature === "fetch") return fetchHandle(target, from);
  if (signature === "event") return eventHandle(target);
  if (signature === "lambda-1.0") return lambdaHandle(target, from, "1.0");
  return signature === "lambda" ? lambdaHandle(target, from) : nodeHandle(target);
}

/** `upgrade(req, socket, head)`, of the module or of its default export: what node:http's event of that name is called with. */
function upgradeOf(module: Exports): Upgrade | null {
  for (const owner of [module, module.default as Exports | undefined, (module.default as Exports | undefined)?.default as Exports | undefined]) {
    if (typeof owner?.upgrade === "function") return owner.upgrade.bind(owner) as Upgrade;
  }
  return null;
}

interface Choice {
  target: unknown;
  signature: Signature;
}

/**
 * What no settings tell. `event` looks like `node`, and is only what settings say.
 *
 * | what is exported                    | signature |
 * |-------------------------------------|-----------|
 * | default (or named) object .fetch()  | fetch     |
 * | `handler` (or the named export)     | lambda    |
 * | default function, ≥ 2 parameters    | node      |
 * | default function, < 2 parameters    | fetch     |
 */
function choose(module: Exports, settings: LoadSettings): Choice {
  const found = detect(module, settings.handler);
  if (!found) throw new Error(missing(module, settings.handler));
  return settings.signature ? { target: found.target, signature: settings.signature } : found;
}

function detect(module: Exports, handler: string | null): Choice | null {
  // An ES module bundled from CommonJS carries module.exports as its default.
  const inner = module.default as Exports | undefined;
  if (handler) return byName(module[handler] ?? inner?.[handler]);
  if (hasFetch(inner)) return { target: inner, signature: "fetch" };
  if (hasFetch(inner?.default)) return { target: inner?.default, signature: "fetch" };
  const lambda = module.handler ?? inner?.handler;
  if (typeof lambda === "function") return { target: lambda, signature: "lambda" };
  const plain = typeof inner === "function" ? inner : inner?.default;
  return typeof plain === "function" ? { target: plain, signature: plain.length >= 2 ? "node" : "fetch" } : null;
}

function byName(value: unknown): Choice | null {
  if (hasFetch(value)) return { target: value, signature: "fetch" };
  return typeof value === "function" ? { target: value, signature: "lambda" } : null;
}

function hasFetch(value: unknown): boolean {
  return typeof (value as { fetch?: unknown } | null | undefined)?.fetch === "function";
}

function missing(module: Exports, handler: string | null): string {
  const names = Object.keys(module).join(", ") || "nothing";
  const wanted = handler ? `no export "${handler}"` : "no handler";
  return `${wanted} was found (the module exports ${names}); name an export with --handler, or export default { fetch(request) {…} }, exports.handler = async (event) => …, or module.exports = (req, res) => …`;
}
