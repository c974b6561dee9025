import type { Registry } from "prom-client";
import type { ApiKeys } from "../client/api-keys.ts";
import type { ManagerErrorCode } from "../errors.ts";
import type { FunctionRecord } from "../functions/function.ts";
import type { FunctionLogs } from "../functions/logs.ts";
import type { ResourceBounds } from "../functions/manifest/resources.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { CodeImages } from "../images/code-images.ts";
import type { TakeImage } from "../images/foreign/image-intake.ts";
import type { DemandView, InstanceView, WindowScale } from "../pool/decide/world.ts";
import type { PoolEvent } from "../pool/events.ts";
import type { LoadVerdict } from "../pool/load-trials.ts";
import type { Pools } from "../pool/pools.ts";
import type { SizingParts } from "../pool/sizing-parts.ts";
import type { FunctionStatistics } from "../statistics/function-statistics.ts";
import type { RouterLinks } from "./routes/router-links.ts";

/** Dependencies of the routes. */
export interface ApiContext {
  version: string;
  platform: string;
  runtimes: readonly string[];
  /** The version of CPython that functions run on; null: the runtime python is not offered. */
  python: string | null;
  /** The most that a function can have; null: it is not known. */
  bounds: ResourceBounds | null;
  /** In words: what limits functions here. */
  limits: string;
  functions: FunctionRegistry;
  pools: Pools;
  images: CodeImages;
  takeImage: TakeImage;
  logs: FunctionLogs;
  /** Largest upload of code, in bytes. */
  maxCodeBytes: number;
  instances(): {
    views: InstanceView[];
    addressOf(uid: string): string | null;
    placeOf(uid: string): { node: string | null; address: string | null };
    now: number;
    /** Bytes of a pool's instances that run no invocation. */
    idleBytesOf(pool: string): number;
    /** Demand by key of the table's entry. */
    demand: ReadonlyMap<string, DemandView>;
  };
  /** Counts of invocations, from the reports of routers. */
  statistics: Pick<FunctionStatistics, "of" | "courseOf">;
  countInstances(functionUid: string): { warm: number; starting: number };
  /** The windows of a function's active revision; undefined: it has none, or neither instances nor demand. */
  windowScaleOf(functionUid: string): WindowScale | undefined;
  /** A function's known problems, in words. */
  problemsOfFunction(record: FunctionRecord): string[];
  /** Resolves with the outcome of a revision's load, after `waitMs` at most; null if too many callers already wait. */
  awaitLoad(functionUid: string, revision: string, waitMs: number): Promise<LoadVerdict> | null;
  /** Why the observation of a pool is doubted; null if it is trusted. */
  doubtOf(pool: string): string | null;
  /** A pool's known problems, in words. */
  problemsOf(pool: string): string[];
  /** Recorded claims, and what follows from them. */
  sizing: Pick<SizingParts, "sizer" | "advisor" | "planner" | "schedules">;
  onEvent(listener: (event: PoolEvent & { time: string }) => void): () => void;
  /** Registries that /metrics prints: the pool manager's, and in embedded mode the router's too. */
  metrics(): Promise<{ registries: Registry[] }>;
  routerUrl(): string | null;
  /** Where this process reaches a router; null: there is none. */
  routerAddress(): { host: string; port: number } | null;
  /** Where the build has put the dashboard's files. */
  dashboardDir: string;
  /** Keys that the API accepts; null if everybody on this machine may use it. */
  keys: ApiKeys | null;
  ready(): boolean;
  /** Called when a request is answered with an error. */
  failed(code: ManagerErrorCode): void;
  /** Routers in other processes. */
  links: RouterLinks;
}
