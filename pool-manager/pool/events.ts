import type { StartKind } from "../client/contract.ts";
import type { LoadPath, ObstacleKind } from "../platform/platform.ts";
import type { PlatformAction } from "./act/incidents.ts";
import type { RemoveReason } from "./decide/world.ts";

/** Events of the pools: streamed at /v1/events, counted in metrics, checked by the simulation. */
export type PoolEvent =
  | { type: "instance.creating"; pool: string; count: number }
  | { type: "instance.prewarmed"; pool: string; instance: string; ms: number }
  | { type: "instance.specialized"; pool: string; instance: string; function: string; revision: string; start: StartKind; ms: number }
  | { type: "instance.loaded"; pool: string; instance: string; function: string; revision: string; path: LoadPath; ms: number }
  | { type: "instance.load-failed"; pool: string; instance: string; function: string; revision: string; message: string }
  | { type: "instance.crashed"; pool: string; instance: string; function: string | null; message: string }
  /** A worker was ended above its function's memory limit; a crash or a failed load is reported besides. */
  | { type: "instance.out-of-memory"; pool: string; instance: string; function: string; message: string }
  /** The revision's instances crash soon after loading: none is started for `delayMs`. */
  | { type: "revision.crash-loop"; function: string; revision: string; crashes: number; delayMs: number; message: string }
  | { type: "instance.swap-failed"; pool: string; instance: string; function: string; message: string }
  | { type: "order.refused"; pool: string; instance: string; function: string; refusal: string }
  | { type: "instance.removing"; pool: string; instance: string; function: string | null; reason: RemoveReason }
  /** Its drain failed, and its removal is no longer decided. */
  | { type: "instance.kept"; pool: string; instance: string; function: string | null }
  | { type: "instance.gone"; pool: string; instance: string }
  /** `again`: a further failure of an action whose incident was already reported. */
  | { type: "action.failed"; action: PlatformAction; pool: string; function: string | null; reason: string; message: string; again: boolean }
  | { type: "action.recovered"; action: PlatformAction; pool: string; function: string | null; failures: number; ms: number }
  | { type: "instance.obstructed"; pool: string; instance: string; function: string | null; obstacle: ObstacleKind; message: string }
  | { type: "budget.exhausted"; pool: string }
  /** A pool that sizes itself, at most once a minute, or that a schedule sizes, has another size; `message` says why. */
  | { type: "pool.resized"; pool: string; from: number; to: number; message: string }
  | { type: "observation.doubted"; pool: string; message: string }
  /** A router stopped reporting without having said that it leaves: the instances that it used stay. */
  | { type: "router.silent"; router: string; instances: number; message: string }
  | { type: "router.heard"; router: string }
  | { type: "router.forgotten"; router: string; message: string }
  /** This process was stalled for `ms`; that time is not counted towards any timeout. */
  | { type: "manager.stalled"; ms: number }
  | { type: "rollout.stopped"; function: string; revision: string; message: string }
  | { type: "rollout.complete"; function: string; revision: string }
  | { type: "function.changed"; function: string; revision: string }
  | { type: "function.deleted"; function: string }
  | { type: "image.collected"; kind: string; item: string; reason: string }
  /** `step` fails on the cluster and is retried; null if it works again. */
  | { type: "cluster.trouble"; step: string; message: string | null }
  | { type: "store.notice"; topic: string; kind: string; count: number; message: string };

export type PoolEventListener = (event: PoolEvent) => void;
