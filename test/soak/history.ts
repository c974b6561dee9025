import { appendFileSync, renameSync, statSync } from "node:fs";
import type { PoolEvent } from "../../pool-manager/pool/events.ts";

/**
 * The subject of a fault: `manager` (the pool manager, or the one that leads), `router:URL`, `instance:UID`, `instances`
 * (all that there are), `cluster` (the API server, Kruise, a kubelet: whatever the pool manager works through).
 */
export type Part = "manager" | "instances" | "cluster" | `router:${string}` | `instance:${string}`;

/** The revision of a function that is not there. */
export const ABSENT = "(absent)";

/** Everything that a run writes down; `at` is the machine's time in milliseconds. A tag names a function's code as it was deployed. */
export type HistoryRecord = { at: number } /** `bytes`: of its body. One whose connection was refused begins again, at another router. */ & (
  | { type: "begun"; id: string; function: string; router: string; bytes: number }
  /** `code`: the router's error code, or the connection's; null: none. `tag`: of the function that answered. */
  | { type: "ended"; id: string; status: number; code: string | null; tag: string | null; revision: string | null; text: string }
  /** A function says that it runs for an invocation, and on which instance. */
  | { type: "run"; id: string; function: string; tag: string; instance: string }
  /** A change of a function begins: from now on it may be these tags, too. */
  | { type: "change"; change: string; function: string; may: string[] }
  /** The change has ended: the function is one of these tags; null: it is unknown whether the change was made. `tookMs`: until the answer. */
  | { type: "changed"; change: string; function: string; now: string[] | null; tookMs: number; error?: string }
  /** Names of a function's revisions, and the code images that it needs. */
  | { type: "revisions"; function: string; tags: Record<string, string>; images: string[] }
  | { type: "fault"; fault: string; what: string; ends: Part[]; stalls: Part[] }
  | { type: "fault-over"; fault: string; error?: string }
  | { type: "event"; manager: string; event: PoolEvent }
  /** The pool manager no longer lists an instance, whose last state and function these were. */
  | { type: "unlisted"; instance: string; state: string; function: string | null }
  /** Private memory of a process, and how long it has run. */
  | { type: "memory"; of: string; pid: number; mb: number; ageMs: number }
  | { type: "balance"; balance: Balance }
);

/** The remains after every function was deleted and no work is left. */
export interface Balance {
  /** The pool's size, and the instances that are there, by state. */
  size: number;
  states: Record<string, number>;
  /** Pods or processes of instances that the platform has. */
  places: number;
  /** Digests of the code images that are kept. */
  images: string[];
  /** How long the present leader has led. */
  ledMs: number;
  /** Descriptions of anything else that should not be there. */
  strays: string[];
}

/** A moment as violations name it. */
export function time(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}

/** A record of this type. */
export type RecordOf<T extends HistoryRecord["type"]> = Extract<HistoryRecord, { type: T }>;

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const FLUSH_MS = 500;

type Unstamped = HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, "at"> & { at?: number } : never) : never;

/** The history of a run: in memory for the checker, and in a file of JSON lines, of which the last two 64 MB are kept. */
export class History {
  readonly records: HistoryRecord[] = [];
  readonly #file: string;
  readonly #timer: NodeJS.Timeout;
  #unwritten = "";
  #next = 0;

  constructor(file: string) {
    this.#file = file;
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS);
  }

  add(record: Unstamped): void {
    const stamped = { ...record, at: record.at ?? Date.now() } as HistoryRecord;
    this.records.push(stamped);
    this.#unwritten += `${JSON.stringify(stamped)}\n`;
  }

  /** A name that no other of this run has. */
  id(kind: string): string {
    return `${kind}-${++this.#next}`;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#flush();
  }

  #flush(): void {
    if (this.#unwritten === "") return;
    appendFileSync(this.#file, this.#unwritten);
    this.#unwritten = "";
    if (statSync(this.#file).size > MAX_FILE_BYTES) renameSync(this.#file, `${this.#file}.1`);
  }
}
