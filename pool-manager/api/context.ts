import type { Registry } from "prom-client";
import type { ApiKeys } from "../client/api-keys.ts";
import type { ManagerErrorCode } from "../errors.ts";
import type { FunctionRecord } from "../functions/function.ts";
import type { FunctionLogs } from "../functions/logs.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { CodeImages } from "../images/code-images.ts";
import type { InstanceView } from "../pool/decide/world.ts";
import type { PoolEvent } from "../pool/events.ts";
import type { LoadVerdict } from "../pool/load-trials.ts";
import type { Pools } from "../pool/pools.ts";
import type { RouterLinks } from "./routes/router-links.ts";

/** What the routes work on. */
export interface ApiContext {
  version: string;
  platform: string;
  runtimes: readonly string[];
  functions: FunctionRegistry;
  pools: Pools;
  images: CodeImages;
  logs: FunctionLogs;
  /** Largest upload of code, in bytes. */
  maxCodeBytes: number;
  instances(): { views: InstanceView[]; addressOf(uid: string): string | null; now: number };
  countInstances(functionUid: string): { warm: number; starting: number };
  /** What is in a function's way, in words; empty: nothing is known to be. */
  problemsOfFunction(record: FunctionRecord): string[];
  /** Resolves with what has come of a revision's load, after `waitMs` at most; null: too many wait already. */
  awaitLoad(functionUid: string, revision: string, waitMs: number): Promise<LoadVerdict> | null;
  /** Why what is observed of a pool is not believed at present; null: it is. */
  doubtOf(pool: string): string | null;
  /** What is in a pool's way, in words; empty: nothing is known to be. */
  problemsOf(pool: string): string[];
  onEvent(listener: (event: PoolEvent & { time: string }) => void): () => void;
  /** Registries that /metrics prints: ours, and embedded the router's. */
  metrics(): Promise<{ registries: Registry[] }>;
  routerUrl(): string | null;
  /** Who may use it; null: everybody on this machine. */
  keys: ApiKeys | null;
  ready(): boolean;
  /** A request was answered with this error. */
  failed(code: ManagerErrorCode): void;
  /** Routers that run elsewhere. */
  links: RouterLinks;
}
