import { ManagerError } from "../../errors.ts";
import {
  type CodeRef,
  type Declaration,
  type DeclarationListener,
  type FunctionRecord,
  type FunctionStore,
  lostSecrets,
  type Secrets,
} from "../../functions/function.ts";
import type { Collector } from "../../functions/retention.ts";
import type { Change } from "../../kubernetes/informer/informer.ts";
import { Declarations } from "./declarations.ts";
import { DefinitionWatch } from "./definitions/definition-watch.ts";
import { FormerFunctions } from "./former-functions.ts";
import { type FunctionResource, type FunctionStatus, holdersOf, resourceRecordOf } from "./function-resource.ts";
import { Intake } from "./intake.ts";
import { LostResources } from "./lost-resources.ts";
import { damagedRecords, damagedSecrets, dropped, edited, missing, type StoreNotice } from "./notices.ts";
import { type KubeApi, ResourceClient, storeError } from "./resource-client.ts";
import { FunctionSecrets } from "./secrets/function-secrets.ts";
import { SecretUpkeep } from "./secrets/secret-upkeep.ts";
import { SecretWatch } from "./secrets/secret-watch.ts";
import { withCondition } from "./status/conditions.ts";
import { inForce, type Readiness, reported, withRecord } from "./status/function-status.ts";
import { type Kept, StatusKeeper } from "./status/status-keeper.ts";

export interface FunctionResourceOptions {
  kube: KubeApi;
  term: number;
  runtimes: readonly string[];
  /** Code by the digest of its layer. Rejects with `CODE_UNKNOWN` or `STORE_FAILED`. */
  code(digest: string): Promise<CodeRef>;
  /** Stores the files of a small function as code. */
  upload(files: Record<string, string>): Promise<CodeRef>;
  /** Bytes of a manifest or configuration of a code image. */
  blob(digest: string): Promise<Uint8Array>;
  notice(notice: StoreNotice): void;
  /** Does a step of the start again while it only needs the API server to answer. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
}

/** A function that the registry knows, and its resource: the same name with another uid is another one. */
interface Known {
  uid: string;
  record: FunctionRecord;
  secrets: Secrets;
}

/**
 * Functions as custom resources. A resource's spec is what somebody declares, with kubectl or by way of the API, its
 * status is our record of it. What the API deploys is written as a spec too, in a field manager's name of its own, so
 * that neither way overwrites the other's fields.
 */
export class FunctionResources implements FunctionStore {
  readonly #options: FunctionResourceOptions;
  readonly #client: ResourceClient<FunctionResource>;
  readonly #secrets: FunctionSecrets;
  readonly #known = new Map<string, Known>();
  readonly #intake: Intake;
  readonly #definition: DefinitionWatch;
  readonly #lost: LostResources<FunctionResource>;
  readonly #former: FormerFunctions;
  readonly #declarations: Declarations;
  readonly #changes: SecretWatch;
  readonly #keptSecrets: SecretUpkeep;
  readonly #keeper: StatusKeeper;
  /** Functions whose record is just being written. */
  readonly #writing = new Set<string>();
  #listener: DeclarationListener | null = null;

  constructor(options: FunctionResourceOptions) {
    this.#options = options;
    const { kube, term, notice, blob } = options;
    this.#client = new ResourceClient<FunctionResource>(kube, "Function", "functions", term, (change) => this.#changed(change));
    const client = this.#client;
    client.onDropped = (fields) => notice({ topic: "dropped", kind: "Function", count: fields.length, message: dropped("Function", fields) });
    client.cache.onHistoryReset = () => this.#historyReset();
    this.#secrets = new FunctionSecrets(kube);
    this.#secrets.onDamaged = (names) => notice({ topic: "damaged", kind: "Function", count: names.length, message: damagedSecrets(names) });
    const failing = (what: string) => (message: string | null) =>
      notice({ topic: "failing", kind: "Function", count: message ? 1 : 0, message: `${what}: ${message ?? "no longer so"}` });
    this.#former = new FormerFunctions({
      kube,
      blob,
      secrets: () => this.#secrets.load(),
      isKnown: (uid) => [...this.#known.values()].some(({ record }) => record.uid === uid),
    });
    this.#definition = new DefinitionWatch(kube, "functions", "Function");
    this.#intake = new Intake({
      find: (name) => client.cache.get(name),
      take: (resource) => this.#take(resource),
      refuse: (resource, error) => client.refuse(resource, error),
      hold: (resource, error) => client.hold(resource, error),
    });
    this.#lost = new LostResources<FunctionResource>({
      definition: this.#definition,
      get: (name) => client.find(name),
      exclusively: (name, work) => this.#intake.exclusively(name, work),
      withdrawn: (name, uid) => this.#withdraw(name, uid),
      found: async (resource) => this.#found(resource),
      rewrite: (resource) => this.#rewrite(resource),
      tell: (count, why) => notice({ topic: count > 0 ? "missing" : "restored", kind: "Function", count, message: missing("functions", count, why) }),
    });
    const { runtimes, code, upload } = options;
    const isPending = (resource: FunctionResource) => this.#intake.isPending(resource);
    this.#declarations = new Declarations({ client, secrets: this.#secrets, former: this.#former, runtimes, code, upload, isPending });
    this.#changes = new SecretWatch({
      read: (name) => this.#secrets.read(name),
      references: () => this.#declarations.references(),
      taken: (name) => (this.#hasLostSecrets(name) ? undefined : this.#declarations.secretOf(name)),
      changed: (name) => this.#intake.again(name),
      onTrouble: failing("the Secrets that functions name are not looked at"),
    });
    this.#keptSecrets = new SecretUpkeep({
      functions: () => [...this.#known.values()].filter(({ record }) => !this.#writing.has(record.name)),
      kept: () => this.#secrets.load(),
      write: ({ record, secrets }) => this.#secrets.save(record, secrets),
      onTrouble: failing("functions' secrets are not kept"),
    });
    this.#keeper = new StatusKeeper({
      find: (name) => {
        const kept = this.#kept(name);
        return kept && client.isOurs(kept.resource) ? kept : null;
      },
      exclusively: (name, work) => this.#intake.exclusively(name, work),
      write: async (name) => {
        const { resource } = this.#kept(name) ?? {};
        if (resource) await this.#writeStatus(name, resource);
      },
      tell: (name, fields) => notice({ topic: "edited", kind: "Function", count: 1, message: edited(name, fields) }),
      onTrouble: (name, message) => failing(`the status of ${name} is not put right`)(message),
    });
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    const { patiently } = this.#options;
    await patiently(() => this.#definition.remember());
    await this.#client.cache.start();
    const stored = await patiently(() => this.#secrets.load());
    const damaged: string[] = [];
    for (const resource of this.#client.cache.all()) {
      const record = resourceRecordOf(resource);
      if (record) this.#known.set(record.name, { uid: resource.metadata.uid, record, secrets: stored.get(record.uid) ?? {} });
      else if (resource.status?.uid) damaged.push(resource.metadata.name);
    }
    if (damaged.length > 0) this.#options.notice({ topic: "damaged", kind: "Function", count: damaged.length, message: damagedRecords(damaged) });
    return [...this.#known.values()].map(({ record, secrets }) => ({ record, secrets }));
  }

  /** Begins to tell what was declared past the API, what changed while nobody looked included. */
  follow(listener: DeclarationListener): void {
    this.#listener = listener;
    for (const resource of this.#client.cache.all()) {
      const { name } = resource.metadata;
      // A record of which only a part is left is none, whatever state it says to be of.
      if (resource.status?.uid && !this.#known.has(name)) this.#intake.again(name);
      else this.#intake.consider(name);
    }
    this.#changes.start();
    this.#keptSecrets.start();
  }

  save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void> {
    const { name } = record;
    return this.#write(name, async () => {
      const resource = declaration ? this.#client.cache.get(name) : await this.#declarations.declare(record);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there`);
      try {
        await this.#secrets.save(record, secrets);
        const version = declaration?.version ?? resource.metadata.generation ?? 0;
        const written = await this.#client.accept(resource, version, "Deployed", inForce(record), (status) => this.#withRecord(status, record));
        this.#keeper.wrote(record, written);
      } catch (error) {
        // It may have been written though no answer came.
        this.#intake.doubt(name);
        throw error;
      }
      this.#known.set(name, { uid: resource.metadata.uid, record, secrets });
      this.#lost.settled(name);
    });
  }

  /** Uid of a function's resource; null: it has none at present. */
  uidOf(name: string): string | null {
    return this.#client.cache.get(name)?.metadata.uid ?? null;
  }

  endingOf(name: string): string[] | null {
    const resource = this.#client.cache.get(name);
    return resource ? holdersOf(resource) : null;
  }

  progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    const { name } = record;
    return this.#write(name, async () => {
      const resource = this.#client.cache.get(name);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there: it is written again as soon as that is possible`);
      this.#keeper.wrote(record, await this.#client.updateStatus(resource, (status) => ({ ...status, ...this.#withRecord(status, record) })));
      this.#known.set(name, { uid: resource.metadata.uid, record, secrets });
    });
  }

  /** Writes a record: until that has ended, nobody knows which of the two the status has to say. */
  async #write(name: string, work: () => Promise<void>): Promise<void> {
    this.#writing.add(name);
    try {
      await work();
    } catch (error) {
      throw storeError(name, error);
    } finally {
      this.#writing.delete(name);
      this.#keeper.consider(name);
    }
  }

  async remove({ name }: FunctionRecord): Promise<void> {
    const resource = this.#client.cache.get(name);
    const known = this.#known.get(name);
    this.#known.delete(name);
    try {
      const held = resource && (await this.#client.delete(resource));
      // A resource that finalizers hold is there at the next start too: without the record it is no function. The deletion has happened
      // whether this write succeeds or not; one that fails is counted as every failed write is.
      if (held) await this.#client.updateStatus(held, ({ conditions }) => ({ conditions })).catch(() => {});
      this.#lost.settled(name);
      this.#declarations.forget(name);
      this.#keeper.forget(name);
    } catch (error) {
      if (known) this.#known.set(name, known);
      throw storeError(name, error);
    }
  }

  /** Writes how a function fares, where that has changed. */
  async report(name: string, warm: number, now: Readiness): Promise<void> {
    this.#keeper.consider(name);
    const { record, resource } = this.#kept(name) ?? {};
    if (!record || !resource) return;
    const { status = {} } = resource;
    const verdicts = reported(status.conditions, record.active, now, this.#client.dropped);
    if (status.warm === warm && !verdicts) return;
    await this.#writeStatus(name, resource, (own) => {
      const conditions = (verdicts ?? []).reduce(withCondition, own.conditions ?? []);
      return { ...own, warm, conditions };
    });
  }

  /** Layers that some resource names. */
  declared(): Set<string> {
    return new Set([...this.#client.cache.all()].flatMap(({ spec }) => spec.code?.digest ?? []));
  }

  /** The secret values of functions that are not among these go when the collector allows it. */
  retain(functions: ReadonlySet<string>, collector: Collector): Promise<void> {
    return this.#secrets.retain(functions, collector);
  }

  close(): void {
    this.#client.close();
    this.#intake.close();
    this.#lost.close();
    this.#changes.close();
    this.#keptSecrets.close();
    this.#keeper.close();
  }

  #changed({ type, object }: Change<FunctionResource>): void {
    const { name, uid } = object.metadata;
    if (type === "present") {
      if (!this.#listener) return;
      this.#intake.consider(name);
      this.#keeper.consider(name);
    } else if (this.#known.get(name)?.uid === uid) {
      this.#lost.noticed(object, type === "deleted");
    }
  }

  async #withdraw(name: string, uid: string): Promise<void> {
    if (this.#known.get(name)?.uid !== uid) return;
    this.#known.delete(name);
    this.#declarations.forget(name);
    this.#keeper.forget(name);
    await this.#listener?.withdrawn(name);
  }

  /** A resource that stands for a function that is known: what it declares holds, its record is ours. */
  #found(resource: FunctionResource): void {
    const { name, uid } = resource.metadata;
    this.#client.cache.found(resource);
    const known = this.#known.get(name);
    if (known && known.uid !== uid) {
      known.uid = uid;
      this.#intake.again(name);
    } else {
      this.#intake.consider(name);
    }
  }

  /** The resource of a function that goes on without one. */
  async #rewrite(lost: FunctionResource): Promise<void> {
    const { name } = lost.metadata;
    const known = this.#known.get(name);
    if (!known) return;
    const { record, secrets } = known;
    const made = await this.#client.recreate(lost);
    known.uid = made.metadata.uid;
    await this.#secrets.save(record, secrets);
    // What was not taken in before is not by this.
    if (this.#intake.isPending(lost)) await this.#client.updateStatus(made, (status) => ({ ...status, ...this.#withRecord(status, record) }));
    else await this.#client.accept(made, made.metadata.generation ?? 0, "Deployed", inForce(record), (status) => this.#withRecord(status, record));
  }

  /** The API server's data are those of a backup: what resources declare now holds, also where their state was taken in before. */
  #historyReset(): void {
    this.#options.notice({
      topic: "history",
      kind: "Function",
      count: this.#known.size,
      message: "the API server's data were set back: everything is listed anew",
    });
    for (const name of this.#known.keys()) this.#intake.again(name);
  }

  async #take(resource: FunctionResource): Promise<void> {
    const { name, uid } = resource.metadata;
    const known = this.#known.get(name);
    if (!this.#listener || this.#lost.has(name)) return;
    // Nobody has seen that the one before was deleted: this one stands for the same function.
    if (known) known.uid = uid;
    await this.#listener.declared(this.#declarations.of(resource));
  }

  /** Somebody has deleted what the values of the function's latest revision were kept in. */
  #hasLostSecrets(name: string): boolean {
    const { record, secrets } = this.#known.get(name) ?? {};
    const latest = record?.revisions.find(({ id }) => id === record.latest);
    return latest !== undefined && lostSecrets(latest, secrets?.[latest.id]).length > 0;
  }

  #withRecord(status: FunctionStatus | undefined, record: FunctionRecord): FunctionStatus {
    return withRecord(status, record, this.#declarations.secretOf(record.name));
  }

  /** A function's record and the resource that stands for it, where nobody is about to write either. */
  #kept(name: string): Kept | null {
    const known = this.#known.get(name);
    const resource = this.#client.cache.get(name);
    if (!known || !resource || known.uid !== resource.metadata.uid || this.#writing.has(name) || this.#lost.has(name)) return null;
    return { record: known.record, resource };
  }

  /** The status that says what the record says by then; what a write of the record is under way for is left to that. */
  #ownStatus(name: string, status: FunctionStatus): FunctionStatus {
    const known = this.#writing.has(name) ? undefined : this.#known.get(name);
    return known ? { ...status, ...this.#withRecord(status, known.record) } : status;
  }

  async #writeStatus(name: string, resource: FunctionResource, change: (status: FunctionStatus) => FunctionStatus = (status) => status): Promise<void> {
    const written = await this.#client.updateStatus(resource, (status) => change(this.#ownStatus(name, status)));
    const known = this.#known.get(name);
    if (known && !this.#writing.has(name)) this.#keeper.wrote(known.record, written);
  }
}
