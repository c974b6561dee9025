import type { LoadOrder, LoadSettings } from "./messages.ts";

/** Validators of a load order's fields; a missing field is invalid. */
const FIELDS: Record<keyof LoadOrder, (value: unknown) => boolean> = {
  uid: isText,
  bootId: isText,
  epoch: isCount,
  functionUid: isText,
  functionName: isText,
  revision: isText,
  digest: isText,
  term: isCount,
  source: (value) =>
    isObject(value) && (value.kind === "image" || (value.kind === "inline" && isText(value.archive)) || (value.kind === "volume" && isText(value.path))),
  loadTimeoutMs: isMs,
  settings: (value) => isObject(value) && Object.entries(SETTINGS).every(([name, is]) => is(value[name])),
  key: isTextOrNull,
  env: (value) => isObject(value) && Object.values(value).every(isText),
};

const SETTINGS: Record<keyof LoadSettings, (value: unknown) => boolean> = {
  entry: isText,
  handler: isTextOrNull,
  signature: isTextOrNull,
  concurrency: (value) => isCount(value) && (value as number) > 0,
  timeoutMs: isMs,
  image: (value) => value === undefined || isText(value),
  command: (value) => value === undefined || isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  health: (value) => value === undefined || isText(value),
  resources: (value) => value === undefined || (isObject(value) && Object.values(value).every(isLimit)),
};

/** Parses the JSON of a load order; null: it is not a JSON object. */
export function parseOrder(text: string): Partial<LoadOrder> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** The first invalid field of an order; null: the order is valid. */
export function wrongField(order: Partial<LoadOrder>): string | null {
  return Object.entries(FIELDS).find(([name, is]) => !is(order[name as keyof LoadOrder]))?.[0] ?? null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether it is a limit of a resource; absent ones are not in the JSON. */
function isLimit(value: unknown): boolean {
  return value === undefined || (isCount(value) && (value as number) > 0);
}

/** Whether a timer can wait this long. */
function isMs(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < 2 ** 31;
}
