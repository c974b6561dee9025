import type { LoadFailure, TableChange } from "../../client/contract.ts";
import { type FunctionRecord, servedRevisions } from "../../functions/function.ts";
import type { Executor } from "../act/executor.ts";
import type { World } from "../decide/world.ts";
import type { Demand } from "../observe/demand.ts";
import type { LoadFailures } from "../observe/load-failures.ts";
import type { ReconcilerOptions } from "../options.ts";
import { blockedBy } from "./problems.ts";
import { tableFunction } from "./table-entry.ts";
import { TableFeed } from "./table-feed.ts";

type PublisherOptions = Pick<ReconcilerOptions, "platform" | "functions" | "clock" | "unavailable">;

/** Derives the routers' table from the instances' echoes, and publishes its changes. */
export class TablePublisher {
  readonly #options: PublisherOptions;
  readonly #executor: Executor;
  readonly #failures: LoadFailures;
  readonly #demand: Demand;
  readonly #feed = new TableFeed();
  /** Why pools can get no further instances, by name. */
  #blocked: ReadonlyMap<string, string> = new Map();
  #open = false;

  constructor(options: PublisherOptions, executor: Executor, failures: LoadFailures, demand: Demand) {
    this.#options = options;
    this.#executor = executor;
    this.#failures = failures;
    this.#demand = demand;
  }

  /** Publishes the whole table for the first time. An earlier, incomplete one would remove functions from routers. */
  open(): void {
    this.#open = true;
    for (const record of this.#options.functions.list()) this.publish(record);
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  tell(change: TableChange): void {
    this.#feed.publish(change);
  }

  publishUid(functionUid: string): void {
    const record = this.#options.functions.byUid(functionUid);
    if (record) this.publish(record);
  }

  publish(record: FunctionRecord): void {
    if (!this.#open) return;
    const { platform, clock } = this.#options;
    const serving = [...platform.observe().instances.values()].filter(
      (instance) => instance.echo?.functionUid === record.uid && !instance.removing && !this.#executor.isLeaving(instance.uid),
    );
    const startOf = (uid: string) => this.#executor.starts.of(uid);
    const served = servedRevisions(record).map((revision) => {
      const failure = this.#withoutRuntime(record) ?? this.#failures.current(record.uid, revision.id, clock.now());
      const blocked = this.#blocked.get(this.#options.functions.poolOf(record, revision)) ?? null;
      return tableFunction(record, revision, serving, startOf, { failure, blocked, expectedStartMs: this.#executor.starts.expectedMs });
    });
    // The active revision is last, after the revisions that its split names.
    for (const entry of served.reverse()) this.#feed.upsert(entry);
    this.retain(
      record.uid,
      served.map(({ key }) => key),
    );
  }

  /** Invocations of a function whose runtime has no instances would wait in vain. */
  #withoutRuntime({ runtime }: FunctionRecord): LoadFailure | null {
    const message = this.#options.unavailable?.get(runtime);
    return message === undefined ? null : { reason: "runtime", message, instanceUid: "", retryAfterMs: 0 };
  }

  /** Removes all other entries of a function, and their demand. */
  retain(functionUid: string, keys: readonly string[]): void {
    const gone = this.#feed.retain(functionUid, new Set(keys));
    if (gone.length > 0) this.#demand.drop(gone);
  }

  /** Publishes why pools can get no further instances; routers put it into the errors of invocations that waited in vain. */
  tellBlocked({ instances, pools, now }: World): void {
    const refusals = this.#options.platform.observe().refusals?.();
    const before = this.#blocked;
    const reasons = pools.map(({ name }) => {
      const own = instances.filter(({ pool }) => pool === name);
      return [name, blockedBy(own, refusals?.get(name) ?? null, this.#executor.incidents.of(name), now)] as const;
    });
    this.#blocked = new Map(reasons.flatMap(([name, reason]) => (reason === null ? [] : [[name, reason] as const])));
    const { functions } = this.#options;
    for (const [name, reason] of reasons) {
      if ((before.get(name) ?? null) === reason) continue;
      for (const record of functions.list()) if (servedRevisions(record).some((revision) => functions.poolOf(record, revision) === name)) this.publish(record);
    }
  }
}
