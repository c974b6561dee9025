import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { BoundedMap } from "../collections/bounded.ts";

/**
 * | role    | may                                                    |
 * |---------|--------------------------------------------------------|
 * | invoke  | invoke functions                                       |
 * | manage  | everything of the manage API                           |
 * | route   | follow the table and report demand; invoke past a hop  |
 * | monitor | read metrics                                           |
 */
export const ROLES = ["invoke", "manage", "route", "monitor"] as const;
export type Role = (typeof ROLES)[number];

/** Header for a client's key when `authorization` is meant for the function. */
export const API_KEY_HEADER = "x-berth-api-key";

/** Interval at which the key file is checked: a mounted Secret changes without a restart. */
const CHECK_INTERVAL_MS = 5000;
const LINE = /^(\S+)\s+(\S+)\s+sha256:([0-9a-f]{64})$/;
/** Maximum number of keys whose roles are cached, which saves a hash per invocation. */
const MAX_REMEMBERED = 1000;

export class KeyFileError extends Error {}

/** A new key, and the line of the key file that accepts it. A random key of 256 bits needs no slow hash. */
export function newKey(name: string, roles: readonly Role[]): { key: string; line: string } {
  const key = `berth_${randomBytes(32).toString("base64url")}`;
  return { key, line: `${name} ${roles.join(",")} sha256:${hashOf(key)}` };
}

/** Keys and their roles, from a file of lines `NAME ROLE[,ROLE] sha256:HASH`, which holds no keys. */
export class ApiKeys {
  readonly #path: string;
  #roles: ReadonlyMap<string, ReadonlySet<Role>> = new Map();
  #mark = "";
  #checkedAt = Number.NEGATIVE_INFINITY;
  readonly #remembered = new BoundedMap<string, ReadonlySet<Role> | null>(MAX_REMEMBERED);

  /** Throws `KeyFileError` if the file cannot be read or a line is invalid. */
  constructor(path: string) {
    this.#path = path;
    this.#check();
  }

  /** The roles of a key; null if the key is unknown. */
  rolesOf(key: string | undefined): ReadonlySet<Role> | null {
    if (!key) return null;
    this.#recheck();
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const roles = this.#roles.get(hashOf(key)) ?? null;
    this.#remembered.set(key, roles);
    return roles;
  }

  /** Keeps the last valid keys if the file is unreadable, so that a half-written file locks nobody out. */
  #recheck(): void {
    const now = performance.now();
    if (now - this.#checkedAt < CHECK_INTERVAL_MS) return;
    this.#checkedAt = now;
    try {
      this.#check();
    } catch (error) {
      if (!(error instanceof KeyFileError)) throw error;
    }
  }

  #check(): void {
    try {
      const { mtimeMs, ino, size } = statSync(this.#path);
      const mark = `${mtimeMs} ${ino} ${size}`;
      if (mark === this.#mark) return;
      this.#roles = parse(readFileSync(this.#path, "utf8"));
      this.#mark = mark;
      this.#remembered.clear();
    } catch (error) {
      throw error instanceof KeyFileError ? error : new KeyFileError(`${this.#path}: ${(error as Error).message}`);
    }
  }
}

/** The key that a request presents: `API_KEY_HEADER` (`own`), or else a bearer token. */
export function presentedKey(authorization: string | undefined, own: string | undefined): string | undefined {
  if (own) return own;
  const [scheme = "", token] = (authorization ?? "").split(" ");
  return scheme.toLowerCase() === "bearer" ? token : undefined;
}

/** The password of basic authentication (RFC 7617), whoever the user is; undefined: the header has another form. */
export function passwordOf(authorization: string | undefined): string | undefined {
  const [scheme = "", encoded = ""] = (authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "basic") return undefined;
  const credentials = Buffer.from(encoded, "base64").toString();
  const colon = credentials.indexOf(":");
  return colon < 0 ? undefined : credentials.slice(colon + 1);
}

function parse(text: string): Map<string, ReadonlySet<Role>> {
  const roles = new Map<string, ReadonlySet<Role>>();
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (!trimmed || trimmed.startsWith("#")) continue;
    const [, , named = "", hash = ""] = LINE.exec(trimmed) ?? [];
    const own = named.split(",");
    if (!hash || !own.every((role): role is Role => (ROLES as readonly string[]).includes(role))) {
      throw new KeyFileError(`line ${index + 1} of the key file is not "NAME ${ROLES.join("|")} sha256:HASH"`);
    }
    roles.set(hash, new Set([...(roles.get(hash) ?? []), ...own]));
  }
  if (roles.size === 0) throw new KeyFileError("the key file has no key");
  return roles;
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
