import type { ToWorker } from "../../protocol/worker.ts";
import type { Invoker } from "../invocation/invoker.ts";
import type { Upgrade } from "../invocation/upgrade.ts";

export type LoadRequest = Extract<ToWorker, { type: "load" }>;

export interface Loaded {
  invoke: Invoker;
  /** Null: the function accepts no WebSockets. */
  upgrade: Upgrade | null;
}

/** The reports of code to its worker, while it loads and afterwards. */
export interface Listener {
  /** Says what the load waits for; the error of a load that takes too long ends with it. */
  waitsFor(message: string): void;
  /** The program that answers invocations has ended by itself: the worker ends too. */
  lost(message: string): void;
}

/** How a worker loads functions. */
export interface Language {
  load(request: LoadRequest, listener: Listener): Promise<Loaded>;
  /** Loads what a spare worker invokes once. `dir`: a directory in which it may write. */
  rehearse(dir: string): Promise<Loaded>;
}
