import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { at } from "../layout.ts";

/** Released versions of what a cluster is made of, without the leading v. */
export interface Versions {
  kubernetes: string;
  kruise: string;
}

/** The versions that a cluster can have, the oldest first: each has a Go module in `go/`, named by its minor version. */
export const RELEASES: { readonly [what in keyof Versions]: readonly [string, ...string[]] } = {
  kubernetes: ["1.30.14", "1.34.4", "1.37.2"],
  kruise: ["1.8.3", "1.9.1"],
};
export const DEFAULT: Versions = { kubernetes: "1.34.4", kruise: "1.9.1" };
export const OLDEST: Versions = { kubernetes: first(RELEASES.kubernetes), kruise: first(RELEASES.kruise) };
export const NEWEST: Versions = { kubernetes: last(RELEASES.kubernetes), kruise: last(RELEASES.kruise) };

const FILE = at("versions.json");

/** The versions of the present cluster; null: there is none. */
export function present(): Versions | null {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Versions) : null;
}

/**
 * Takes `--kubernetes V` and `--kruise V`, a minor or a whole version each, and remembers them for as long as the cluster
 * is there. A version that is not given is that of the present cluster, or the default. Throws where there is no such version, or
 * where the present cluster has another.
 */
export function choose(args: string[]): Versions {
  const chosen = chosenBy(args, present());
  writeFileSync(FILE, JSON.stringify(chosen));
  return chosen;
}

/** The same without remembering it. */
export function chosenBy(args: string[], now: Versions | null): Versions {
  const { values } = parseArgs({ args, options: { kubernetes: { type: "string" }, kruise: { type: "string" } } });
  const pick = (what: keyof Versions): string => {
    const asked = values[what];
    if (asked === undefined) return (now ?? DEFAULT)[what];
    const found = RELEASES[what].find((release) => release === asked.replace(/^v/, "") || minorOf(release) === asked.replace(/^v/, ""));
    if (!found) throw new Error(`--${what} ${asked}: a cluster can be made of ${RELEASES[what].join(", ")}`);
    if (now && now[what] !== found) throw new Error(`the present cluster has ${what} ${now[what]}: npm run cluster:down ends it`);
    return found;
  };
  return { kubernetes: pick("kubernetes"), kruise: pick("kruise") };
}

/** "1.34" of "1.34.4". */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function first<T>([one]: readonly [T, ...T[]]): T {
  return one;
}

function last<T>(all: readonly [T, ...T[]]): T {
  return all[all.length - 1] as T;
}
