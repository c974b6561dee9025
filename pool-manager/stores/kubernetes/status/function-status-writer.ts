import type { FunctionRecord } from "../../../functions/function.ts";
import { LABEL } from "../../../platform/kruise/objects/objects.ts";
import type { FunctionResource, FunctionStatus } from "../function-resource.ts";
import type { KnownFunctions } from "../known-functions.ts";
import { edited, failing, type StoreNotice } from "../notices.ts";
import type { ResourceClient } from "../resource-client.ts";
import { withCondition } from "./conditions.ts";
import { inForce, type Readiness, reported, withRecord } from "./function-status.ts";
import { type Kept, StatusKeeper } from "./status-keeper.ts";

export interface FunctionStatusWriterOptions {
  client: Pick<ResourceClient<FunctionResource>, "cache" | "accept" | "updateStatus" | "isOurs" | "dropped">;
  known: KnownFunctions;
  /** The ingested version of a function's Secret. */
  secretOf(name: string): string | undefined;
  /** Whether the server lacks the resource of a known function. */
  isLost(name: string): boolean;
  /** Runs `work` while no declaration of this name is ingested. Never rejects. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  notice(notice: StoreNotice): void;
}

/** Writes the statuses of functions' resources: their records, how they fare, and again what others have edited. */
export class FunctionStatusWriter {
  readonly #options: FunctionStatusWriterOptions;
  readonly #keeper: StatusKeeper;

  constructor(options: FunctionStatusWriterOptions) {
    this.#options = options;
    const { client, exclusively, notice } = options;
    this.#keeper = new StatusKeeper({
      exclusively,
      find: (name) => {
        const kept = this.#kept(name);
        return kept && client.isOurs(kept.resource) ? kept : null;
      },
      write: async (name) => {
        const { resource } = this.#kept(name) ?? {};
        if (resource) await this.#rewrite(name, resource);
      },
      tell: (name, fields) => notice({ topic: "edited", kind: "Function", count: 1, message: edited(name, fields) }),
      onTrouble: (name, message) => notice(failing(`the status of ${name} is not put right`, message)),
    });
  }

  /** Writes a record together with the declaration's generation that it follows from. */
  async accept(resource: FunctionResource, generation: number, record: FunctionRecord): Promise<void> {
    const { client } = this.#options;
    this.#keeper.wrote(record, await client.accept(resource, generation, "Deployed", inForce(record), (status) => this.#withRecord(status, record)));
  }

  /** Writes a record that no new declaration has changed. */
  async write(resource: FunctionResource, record: FunctionRecord): Promise<void> {
    const { client } = this.#options;
    this.#keeper.wrote(record, await client.updateStatus(resource, (status) => ({ ...status, ...this.#withRecord(status, record) })));
  }

  /** Writes how a function fares, if that has changed. */
  async report(name: string, warm: number, now: Readiness): Promise<void> {
    this.#keeper.consider(name);
    const { record, resource } = this.#kept(name) ?? {};
    if (!record || !resource) return;
    const { status = {} } = resource;
    const verdicts = reported(status.conditions, record.active, now, this.#options.client.dropped);
    const selector = `${LABEL.function}=${record.uid}`;
    // A definition of an older version has no selector.
    const isSelected = status.selector === selector || this.#options.client.dropped.includes("selector");
    if (status.warm === warm && isSelected && !verdicts) return;
    await this.#rewrite(name, resource, (own) => {
      const conditions = (verdicts ?? []).reduce(withCondition, own.conditions ?? []);
      return { ...own, warm, selector, conditions };
    });
  }

  /** Checks a function whose resource may have changed, or whose write has ended. */
  consider(name: string): void {
    this.#keeper.consider(name);
  }

  /** Forgets a removed function. */
  forget(name: string): void {
    this.#keeper.forget(name);
  }

  close(): void {
    this.#keeper.close();
  }

  /** A function's record and resource; null: it is being written, or its resource is missing or another function's. */
  #kept(name: string): Kept | null {
    const { client, known, isLost } = this.#options;
    const settled = known.settledOf(name);
    const resource = client.cache.get(name);
    if (!settled || !resource || settled.uid !== resource.metadata.uid || isLost(name)) return null;
    return { record: settled.record, resource };
  }

  /** Writes a status with the record as it is by then, which a write of the record that is under way leaves to that write. */
  async #rewrite(name: string, resource: FunctionResource, change: (status: FunctionStatus) => FunctionStatus = (status) => status): Promise<void> {
    const { client, known } = this.#options;
    const written = await client.updateStatus(resource, (status) => {
      const settled = known.settledOf(name);
      return change(settled ? { ...status, ...this.#withRecord(status, settled.record) } : status);
    });
    const settled = known.settledOf(name);
    if (settled) this.#keeper.wrote(settled.record, written);
  }

  #withRecord(status: FunctionStatus | undefined, record: FunctionRecord): FunctionStatus {
    return withRecord(status, record, this.#options.secretOf(record.name));
  }
}
