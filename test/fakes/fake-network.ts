import type { Instance } from "../../pool-manager/platform/platform.ts";
import type { Admission } from "../../runtime-images/protocol/admission.ts";
import type { Instance as Life } from "../../runtime-images/protocol/instance.ts";

/** The network between the pool manager and its instances: immediate and faultless, unless a simulation replaces it. */
export interface FakeNetwork {
  now(): number;
  /** Runs `effect` later: a boot, a load, an event on its way. */
  deliver(what: "boot" | "load" | "event" | "exit", effect: () => void): void;
  /** Runs `effect` after exactly this time: the instance's own timers. */
  after(ms: number, effect: () => void): void;
  /** A control call: what it answers may be delayed or lost. */
  call<T>(what: "scale" | "load" | "bind" | "drain" | "remove", work: () => T): Promise<T>;
}

/** One worker of a fake instance: its admission, and what a real one would do to be loaded. */
export interface FakeWorker {
  id: number;
  port: number;
  admission: Admission;
  functionUid: string;
  revision: string;
}

export interface Member {
  record: Instance;
  life: Life;
  workers: Map<number, FakeWorker>;
  /** The workers whose loads were superseded. */
  superseded: Set<number>;
  dead: boolean;
}

/** How the code of an order behaves when it is loaded. */
export type LoadOutcome = "loads" | "throws" | "hangs";
