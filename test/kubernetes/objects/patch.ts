import { isDeepStrictEqual } from "node:util";
import { unprocessable } from "../api/api-error.ts";
import { type Fields, isFields } from "./object.ts";

export interface JsonPatchStep {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result: Fields = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** RFC 6902, as the API server's library has it. Throws 422 where a step cannot be done or a `test` fails. */
export function jsonPatch<T>(target: T, steps: readonly JsonPatchStep[]): T {
  const root = { root: structuredClone(target) as unknown };
  for (const step of steps) applyStep(root, step);
  return root.root as T;
}

function applyStep(root: { root: unknown }, { op, path, from = "", value }: JsonPatchStep): void {
  if (op === "test") {
    if (!isDeepStrictEqual(read(root, path), value)) throw unprocessable();
  } else if (op === "add") add(root, path, structuredClone(value));
  else if (op === "remove") remove(root, path);
  // In an object, the server's library also replaces missing members.
  else if (op === "replace") set(root, path, structuredClone(value));
  else if (op === "copy") add(root, path, structuredClone(read(root, from)));
  else if (op === "move") {
    const moved = read(root, from);
    remove(root, from);
    add(root, path, moved);
  } else throw unprocessable();
}

/** Container and last token of a pointer; of an array, the token is an index. */
function locate(root: { root: unknown }, pointer: string): { holder: Fields | unknown[]; token: string } {
  const tokens = ["root", ...pointer.split("/").slice(1)].map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (pointer !== "" && !pointer.startsWith("/")) throw unprocessable();
  let holder: unknown = root;
  for (const token of tokens.slice(0, -1)) holder = child(holder, token);
  if (!isFields(holder) && !Array.isArray(holder)) throw unprocessable();
  return { holder, token: tokens.at(-1) as string };
}

function child(holder: unknown, token: string): unknown {
  if (Array.isArray(holder)) return holder[indexOf(holder, token, holder.length - 1)];
  if (!isFields(holder) || !Object.hasOwn(holder, token)) throw unprocessable();
  return holder[token];
}

function indexOf(list: readonly unknown[], token: string, last: number): number {
  const index = token === "-" ? list.length : Number(token);
  if (!Number.isInteger(index) || index < 0 || index > last) throw unprocessable();
  return index;
}

function read(root: { root: unknown }, pointer: string): unknown {
  const { holder, token } = locate(root, pointer);
  return child(holder, token);
}

function set(root: { root: unknown }, pointer: string, value: unknown): void {
  const { holder, token } = locate(root, pointer);
  if (Array.isArray(holder)) holder[indexOf(holder, token, holder.length - 1)] = value;
  else holder[token] = value;
}

function add(root: { root: unknown }, pointer: string, value: unknown): void {
  const { holder, token } = locate(root, pointer);
  if (Array.isArray(holder)) holder.splice(indexOf(holder, token, holder.length), 0, value);
  else holder[token] = value;
}

function remove(root: { root: unknown }, pointer: string): void {
  const { holder, token } = locate(root, pointer);
  child(holder, token);
  if (Array.isArray(holder)) holder.splice(indexOf(holder, token, holder.length - 1), 1);
  else delete holder[token];
}
