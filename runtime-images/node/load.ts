import type { LoadSettings, Signature } from "../protocol/messages.ts";
import { fetchHandle } from "./fetch.ts";
import { importModule } from "./import.ts";
import { type Invoker, invokerOf } from "./invoker.ts";
import type { LoadedFrom } from "./ipc.ts";
import { lambdaHandle } from "./lambda.ts";
import { nodeHandle } from "./node-style.ts";

type Exports = Record<string, unknown> & { default?: unknown };

/** Imports the module and finds its handler. Throws the module's own error, or one that says what is missing. */
export async function loadFunction(from: LoadedFrom): Promise<Invoker> {
  const module = (await importModule(from.file)) as Exports;
  const { target, signature } = choose(module, from.settings);
  if (signature === "fetch") return invokerOf(fetchHandle(target, from));
  if (signature === "lambda") return invokerOf(lambdaHandle(target, from));
  return invokerOf(nodeHandle(target));
}

interface Choice {
  target: unknown;
  signature: Signature;
}

/**
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
  return `${wanted} was found (the module exports ${names}); export default { fetch(request) {…} }, exports.handler = async (event) => …, or module.exports = (req, res) => …`;
}
