import type { LoadSettings } from "../protocol/messages.ts";

/** What a module is loaded from, and how it is called. */
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
      /** What a request has to present; null: nothing. */
      key: string | null;
    }
  | { type: "drain" }
  /** The function gets SIGTERM now, whatever runs, for its process is killed soon. */
  | { type: "terminate" };

/** Worker → supervisor. */
export type FromWorker =
  | { type: "ready"; port: number }
  | { type: "loaded" }
  | { type: "loadFailed"; message: string }
  /** It ends now. `codeAtFault`: no invocation of it has ended well. */
  | { type: "crashed"; message: string; codeAtFault: boolean }
  /** It takes no further invocation, and ends when those that run have ended, or after `deadlineMs`. */
  | { type: "ailing"; message: string; codeAtFault: boolean; deadlineMs: number };
