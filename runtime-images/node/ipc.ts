import type { LoadSettings } from "../protocol/messages.ts";

/** The module to load, and how it is called. */
export interface LoadedFrom {
  file: string;
  functionName: string;
  revision: string;
  settings: LoadSettings;
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
  | { type: "loadFailed"; message: string }
  /** The worker ends now. `codeAtFault`: no invocation has succeeded in it. */
  | { type: "crashed"; message: string; codeAtFault: boolean }
  /** The worker accepts no further invocation, and ends when the running ones have ended, or after `deadlineMs`. */
  | { type: "ailing"; message: string; codeAtFault: boolean; deadlineMs: number };
