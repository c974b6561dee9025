import type { LoadSettings } from "./messages.ts";

/** The environment variable of a supervisor that contains the `WorkerCommand` of its language as JSON; without it workers are those of Node beside it. */
export const WORKER_VARIABLE = "BERTH_WORKER";

/** The environment variable of a spare worker that must rehearse; it contains a directory in which the worker may write what it rehearses with. */
export const REHEARSAL_VARIABLE = "BERTH_REHEARSAL";

/** How a worker process of a language is started. */
export interface WorkerCommand {
  /** The program and its arguments. */
  command: string[];
  /** Added to the environment that every worker gets. */
  env: Record<string, string>;
}

/** Supervisor → worker. */
export type ToWorker =
  | {
      type: "load";
      functionUid: string;
      functionName: string;
      revision: string;
      /** Absolute path of the entry module. */
      file: string;
      settings: LoadSettings;
      env: Record<string, string>;
      /** The key that requests must present; null: none. */
      key: string | null;
    }
  | { type: "drain" }
  /** Sends SIGTERM to the function even if invocations run, since its process will be killed soon. */
  | { type: "terminate" };

/** Worker → supervisor. */
export type FromWorker =
  | { type: "ready"; port: number }
  | { type: "loaded" }
  /** The reason why the load waits, in words: the error of a load that takes too long ends with it. */
  | { type: "loading"; message: string }
  | { type: "loadFailed"; message: string }
  /** The function has answered an invocation without an error, for the first time in this worker. Its later end is not held against the code as such. */
  | { type: "answered" }
  /** The worker ends now. */
  | { type: "crashed"; message: string }
  /** The worker accepts no further invocation, and ends when the running ones have ended, or after `deadlineMs`. */
  | { type: "ailing"; message: string; deadlineMs: number };

type IsValid = (value: unknown) => boolean;

const isText: IsValid = (value) => typeof value === "string";
/** Whether a number is between 0 and what a port or a timer can be. */
const isWithin =
  (max: number): IsValid =>
  (value) =>
    typeof value === "number" && value >= 0 && value <= max;

const FIELDS: Record<FromWorker["type"], Record<string, IsValid>> = {
  ready: { port: isWithin(65_535) },
  loaded: {},
  loading: { message: isText },
  loadFailed: { message: isText },
  answered: {},
  crashed: { message: isText },
  ailing: { message: isText, deadlineMs: isWithin(2 ** 31 - 1) },
};

/** A message that came over a worker's channel; null: no worker has sent it. A function's code can write to the channel too. */
export function fromWorker(value: unknown): FromWorker | null {
  const message = (value ?? {}) as FromWorker & Record<string, unknown>;
  if (!Object.hasOwn(FIELDS, message.type)) return null;
  return Object.entries(FIELDS[message.type]).every(([name, isValid]) => isValid(message[name])) ? message : null;
}
