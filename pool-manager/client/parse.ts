import { HOST_PATTERN } from "./address.ts";
import type { LoadFailure, Mark, RouterPeer, StartKind, TableChange, TableFunction } from "./contract.ts";

/** Input that is not a table, or is a table of an incompatible version. */
export class TableError extends Error {}

/** A kind of change that this version does not know: it is ignored, so that a newer pool manager can be followed. */
export interface UnknownChange {
  type: "unknown";
}

/** The table as it is stored in Redis. */
export interface SavedTable {
  functions: TableFunction[];
  routers: RouterPeer[];
}

type Json = Record<string, unknown>;
/** Returns null if the value is valid, or else the path within it that is not. Fills in fields that other versions leave out. */
type Check = (value: unknown) => string | null;
/** Returns the value, or a replacement. */
type Fill = (value: unknown) => unknown;

const is =
  (right: (value: unknown) => boolean): Check =>
  (value) =>
    right(value) ? null : "";
const text = is((value) => typeof value === "string");
const flag = is((value) => typeof value === "boolean");
const count = is((value) => Number.isFinite(value) && (value as number) >= 0);
const atLeastOne = is((value) => Number.isFinite(value) && (value as number) >= 1);
const port = is((value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535);
const HOST = new RegExp(HOST_PATTERN);
const host = is((value) => typeof value === "string" && HOST.test(value));
const texts = is((value) => typeof value === "object" && Object.values(value as object).every((one) => typeof one === "string"));
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);

const or =
  (byDefault: () => unknown): Fill =>
  (value) =>
    value ?? byDefault();
const oneOf =
  <T>(known: readonly T[], other: T): Fill =>
  (value) =>
    known.includes(value as T) ? value : other;

function list(item: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return "";
    for (let i = 0; i < value.length; i++) {
      const wrong = item(value[i]);
      if (wrong !== null) return `[${i}]${wrong}`;
    }
    return null;
  };
}

/** Fills the object in place, since a table may be large and belongs to its parser. */
function object(fields: Record<string, Check>, fills: Record<string, Fill> = {}): Check {
  const checks = Object.entries(fields);
  const filled = Object.entries(fills);
  return (value) => {
    if (typeof value !== "object" || value === null) return "";
    const given = value as Json;
    for (const [name, fill] of filled) {
      const before = given[name];
      const after = fill(before);
      if (after !== before) given[name] = after;
    }
    for (const [name, check] of checks) {
      const wrong = check(given[name]);
      if (wrong !== null) return `.${name}${wrong}`;
    }
    return null;
  };
}

const none = or(() => null);
const zero = or(() => 0);

const FAILURE = object(
  { message: text, instanceUid: text, retryAfterMs: count },
  { reason: oneOf<LoadFailure["reason"]>(["load", "timeout", "memory", "crash", "runtime"], "load"), retryAfterMs: zero },
);
const ENDPOINT = object(
  { instanceUid: text, bootId: text, epoch: count, host, port, key: orNull(text), revision: text, loaded: flag, claimMs: count },
  { key: none, loaded: or(() => true), start: oneOf<StartKind>(["warm", "prewarmed", "cold"], "warm"), claimMs: zero },
);
const FUNCTION = object(
  {
    ...{ key: text, uid: text, name: text, revision: text },
    ...{ split: list(object({ revision: text, percent: count })), aliases: texts },
    ...{ concurrency: atLeastOne, timeoutMs: count, loadTimeoutMs: count, queueDepth: count, queueTimeoutMs: count },
    ...{ endpoints: list(ENDPOINT), failure: orNull(FAILURE), blocked: orNull(text), expectedStartMs: count },
  },
  { split: or(() => []), aliases: or(() => ({})), failure: none, blocked: none, expectedStartMs: zero },
);
const PEER = object({ id: text, host, port });

const CHANGES: Record<(TableChange | Mark)["type"], Check> = {
  snapshot: object({ functions: list(FUNCTION) }),
  upsert: object({ function: FUNCTION }),
  remove: object({ key: text, name: text }),
  lost: object({ reason: text }),
  routers: object({ routers: list(PEER) }),
  failed: object({ instanceUid: text, failure: FAILURE }),
  mark: object({ mark: count }),
};
const SAVED = object({ functions: list(FUNCTION), routers: list(PEER) }, { routers: or(() => []) });

/** Parses a line of the table's stream. Throws `TableError` if it is invalid. */
export function parseChange(line: string): TableChange | Mark | UnknownChange {
  const value = parseJson(line) as { type?: unknown } | null;
  const type = value?.type;
  if (typeof type !== "string") throw new TableError(`${shown(line)} is not a change of a table: is this a pool manager?`);
  if (!Object.hasOwn(CHANGES, type)) return { type: "unknown" };
  const wrong = CHANGES[type as keyof typeof CHANGES](value);
  if (wrong !== null) throw new TableError(`a change of type ${type} is not understood at ${wrong}: use pool managers and routers of one version`);
  return value as TableChange | Mark;
}

/** Parses a table from Redis. Throws `TableError` if it is invalid. */
export function parseSaved(saved: string): SavedTable {
  const value = parseJson(saved);
  const wrong = SAVED(value);
  if (wrong !== null) throw new TableError(`the table in Redis is not understood at ${wrong || "its start"}: a pool manager of this version writes it anew`);
  return value as SavedTable;
}

function parseJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    throw new TableError(`${shown(given)} is not JSON`);
  }
}

function shown(given: string): string {
  return JSON.stringify(given.slice(0, 60));
}
