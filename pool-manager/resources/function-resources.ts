import { ManagerError } from "../errors.ts";
import {
  type CodeRef,
  type Declaration,
  type DeclarationListener,
  type FunctionRecord,
  type FunctionStore,
  lostSecrets,
  type Secrets,
} from "../functions/function.ts";
import { checkName, type Manifest, parseManifest } from "../functions/manifest.ts";
import type { Collector } from "../functions/retention.ts";
import { isRolling, percentOf } from "../functions/rollout.ts";
import type { Change } from "../platform/kruise/reflector.ts";
import { type Condition, withCondition } from "./conditions.ts";
import { Definition } from "./definition.ts";
import { FormerFunctions } from "./former-functions.ts";
import {
  type FunctionResource,
  type FunctionSpec,
  type FunctionStatus,
  ownedFields,
  recordOf,
  specOf,
  statusOf,
  toApply,
  trafficOf,
} from "./function-resource.ts";
import { FunctionSecrets } from "./function-secrets.ts";
import { Intake } from "./intake.ts";
import { KeptSecrets } from "./kept-secrets.ts";
import { LostResources } from "./lost-resources.ts";
import { dropped, missing, type StoreNotice } from "./notice.ts";
import { FIELD_MANAGER, type KubeApi, ResourceClient, storeError } from "./resource-client.ts";
import { SecretChanges } from "./secret-changes.ts";

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
  readonly #definition: Definition;
  readonly #lost: LostResources<FunctionResource>;
  readonly #former: FormerFunctions;
  readonly #changes: SecretChanges;
  readonly #kept: KeptSecrets;
  /** State of its Secret that each function has. */
  readonly #taken = new Map<string, string>();
  #listener: DeclarationListener | null = null;

  constructor(options: FunctionResourceOptions) {
    this.#options = options;
    const { kube, term, notice, blob } = options;
    this.#client = new ResourceClient<FunctionResource>(kube, "Function", "functions", term, (change) => this.#changed(change));
    const client = this.#client;
    client.onDropped = (fields) => notice({ topic: "dropped", kind: "Function", count: fields.length, message: dropped("Function", fields) });
    client.cache.onHistoryReset = () => this.#historyReset();
    this.#secrets = new FunctionSecrets(kube);
    this.#former = new FormerFunctions({
      kube,
      blob,
      secrets: () => this.#secrets.load(),
      isKnown: (uid) => [...this.#known.values()].some(({ record }) => record.uid === uid),
    });
    this.#definition = new Definition(kube, "functions", "Function");
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
    this.#changes = new SecretChanges({
      read: (name) => this.#secrets.read(name),
      references: () => this.#references(),
      taken: (name) => (this.#hasLostSecrets(name) ? undefined : (this.#taken.get(name) ?? client.cache.get(name)?.status?.secret)),
      changed: (name) => this.#intake.again(name),
    });
    this.#kept = new KeptSecrets({
      functions: () => this.#known.values(),
      kept: () => this.#secrets.kept(),
      write: ({ record, secrets }) => this.#secrets.save(record, secrets),
      onTrouble: (message) =>
        notice({ topic: "failing", kind: "Function", count: message ? 1 : 0, message: `functions' secrets are not kept: ${message ?? "no longer so"}` }),
    });
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    await this.#definition.remember();
    await this.#client.cache.start();
    const stored = await this.#secrets.load();
    for (const resource of this.#client.cache.all()) {
      const record = recordOf(resource);
      if (record) this.#known.set(record.name, { uid: resource.metadata.uid, record, secrets: stored.get(record.uid) ?? {} });
    }
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
    this.#kept.start();
  }

  async save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void> {
    const { name } = record;
    try {
      const resource = declaration ? this.#client.cache.get(name) : await this.#declare(record);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there`);
      await this.#secrets.save(record, secrets);
      const version = declaration?.version ?? resource.metadata.generation ?? 0;
      await this.#client.accept(resource, version, "Deployed", message(record), (status) => this.#withRecord(status, record));
      this.#known.set(name, { uid: resource.metadata.uid, record, secrets });
      this.#lost.settled(name);
    } catch (error) {
      throw storeError(name, error);
    }
  }

  /** Uid of a function's resource; null: it has none at present. */
  uidOf(name: string): string | null {
    return this.#client.cache.get(name)?.metadata.uid ?? null;
  }

  async progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    const { name } = record;
    try {
      const resource = this.#client.cache.get(name);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there: it is written again as soon as that is possible`);
      await this.#client.updateStatus(resource, (status) => ({ ...status, ...this.#withRecord(status, record) }));
      this.#known.set(name, { uid: resource.metadata.uid, record, secrets });
    } catch (error) {
      throw storeError(name, error);
    }
  }

  async remove({ name }: FunctionRecord): Promise<void> {
    const resource = this.#client.cache.get(name);
    const known = this.#known.get(name);
    this.#known.delete(name);
    try {
      if (resource) await this.#client.delete(resource);
      this.#lost.settled(name);
      this.#taken.delete(name);
    } catch (error) {
      if (known) this.#known.set(name, known);
      throw storeError(name, error);
    }
  }

  /** Writes how a function fares, where that has changed. Code that has loaded once counts as ready without an instance too. */
  async report(name: string, warm: number, now: Omit<Condition, "lastTransitionTime" | "type">): Promise<void> {
    const resource = this.#client.cache.get(name);
    if (!resource?.status?.uid) return;
    const known = resource.status.conditions?.find(({ type }) => type === "Ready");
    const ready = now.status === "Unknown" && known?.status === "True" && known.message.startsWith(`${resource.status.active} `) ? known : now;
    const stored = this.#stored(resource.status.conditions);
    if (resource.status.warm === warm && isSame(known, ready) && !stored) return;
    await this.#client.updateStatus(resource, (status) => {
      const conditions = withCondition(status.conditions, { ...ready, type: "Ready" });
      return { ...status, warm, conditions: stored ? withCondition(conditions, stored) : conditions };
    });
  }

  /** The condition that says whether the definition keeps what is written, where that has changed. */
  #stored(conditions: readonly Condition[] = []): Omit<Condition, "lastTransitionTime"> | null {
    const { dropped: fields } = this.#client;
    const known = conditions.find(({ type }) => type === "Stored");
    if (fields.length === 0 && !known) return null;
    const is = fields.length === 0 ? ({ status: "True", reason: "Whole" } as const) : ({ status: "False", reason: "OldDefinition" } as const);
    const condition = { type: "Stored", ...is, message: dropped("Function", fields) };
    return isSame(known, condition) ? null : condition;
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
    this.#kept.close();
  }

  /** Says in the API's name what the record says; other managers' fields stay, or refuse it. */
  async #declare(record: FunctionRecord): Promise<FunctionResource> {
    const current = this.#client.cache.get(record.name);
    const wanted = specOf(record);
    if (!current) return this.#client.apply(record.name, wanted);
    const owned = ownedFields(current, FIELD_MANAGER);
    const applied = await this.#client.apply(record.name, toApply(wanted, current.spec, owned, await this.#isCode(current.spec, wanted)));
    const left = toApply(wanted, applied.spec, new Set(), await this.#isCode(applied.spec, wanted));
    const fields = Object.keys(left).join(", ");
    if (fields) throw new ManagerError("FIELD_OWNED", `${fields}: also declared by somebody else, in the resource of ${record.name}`, Object.keys(left)[0]);
    return applied;
  }

  async #isCode({ code }: FunctionSpec, wanted: FunctionSpec): Promise<boolean> {
    if (code?.digest) return code.digest === wanted.code?.digest;
    return code?.files !== undefined && (await this.#options.upload(code.files)).layer === wanted.code?.digest;
  }

  #changed({ type, object }: Change<FunctionResource>): void {
    const { name, uid } = object.metadata;
    if (type === "present") {
      if (this.#listener) this.#intake.consider(name);
    } else if (this.#known.get(name)?.uid === uid) {
      this.#lost.noticed(object, type === "deleted");
    }
  }

  async #withdraw(name: string, uid: string): Promise<void> {
    if (this.#known.get(name)?.uid !== uid) return;
    this.#known.delete(name);
    this.#taken.delete(name);
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
    else await this.#client.accept(made, made.metadata.generation ?? 0, "Deployed", message(record), (status) => this.#withRecord(status, record));
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
    await this.#listener.declared(this.#declaration(resource));
  }

  #declaration(resource: FunctionResource): Declaration {
    const { metadata, spec } = resource;
    const { code, traffic: _, secretRef, ...manifest } = spec;
    const { code: known, upload, runtimes } = this.#options;
    return {
      name: checkName(metadata.name),
      ...trafficOf(spec),
      version: metadata.generation ?? 0,
      isPending: () => {
        const now = this.#client.cache.get(metadata.name);
        return now?.metadata.uid === metadata.uid && this.#intake.isPending(now);
      },
      manifest: async (kept): Promise<Manifest> => {
        const secrets = secretRef ? await this.#readSecret(metadata.name, secretRef) : kept();
        return parseManifest({ ...manifest, secrets }, runtimes);
      },
      code: async () => (code?.files ? upload(code.files) : known(code?.digest ?? "")),
      former: () => this.#former.of(metadata.name),
    };
  }

  async #readSecret(functionName: string, name: string): Promise<Record<string, string>> {
    const secret = await this.#secrets.read(name);
    if (!secret) throw new ManagerError("SECRET_NOT_FOUND", `secretRef: there is no Secret ${name}`, "secretRef");
    this.#taken.set(functionName, secret.version);
    return secret.values;
  }

  /** Somebody has deleted what the values of the function's latest revision were kept in. */
  #hasLostSecrets(name: string): boolean {
    const { record, secrets } = this.#known.get(name) ?? {};
    const latest = record?.revisions.find(({ id }) => id === record.latest);
    return latest !== undefined && lostSecrets(latest, secrets?.[latest.id]).length > 0;
  }

  /** Functions by the Secret that they name. */
  #references(): Map<string, string[]> {
    const references = new Map<string, string[]>();
    for (const { metadata, spec } of this.#client.cache.all()) {
      if (spec.secretRef) references.set(spec.secretRef, [...(references.get(spec.secretRef) ?? []), metadata.name]);
    }
    return references;
  }

  #withRecord(status: FunctionStatus | undefined, record: FunctionRecord): FunctionStatus {
    const secret = this.#taken.get(record.name) ?? status?.secret;
    return { ...statusOf(record), ...(secret && { secret }), conditions: withCondition(status?.conditions, rolledOut(record)) };
  }
}

function isSame(known: Condition | undefined, next: Omit<Condition, "lastTransitionTime" | "type">): boolean {
  return known?.status === next.status && known.reason === next.reason && known.message === next.message;
}

/** Whether what was deployed last has all invocations. */
function rolledOut({ active, rollout, traffic }: FunctionRecord): Omit<Condition, "lastTransitionTime"> {
  const condition = { type: "RolledOut", status: "False" } as const;
  if (!rollout) return { ...condition, status: "True", reason: "AtOnce", message: `${active} is active` };
  if (rollout.state === "complete") return { ...condition, status: "True", reason: "Complete", message: `${rollout.to} is active` };
  if (!isRolling(rollout)) return { ...condition, reason: rollout.state === "undone" ? "Undone" : "Stopped", message: rollout.reason ?? "" };
  const reason = rollout.state === "paused" ? "Paused" : "Rolling";
  return { ...condition, reason, message: `${rollout.to} has ${percentOf({ traffic }, rollout)} percent of the invocations` };
}

function message({ active, latest, rollout }: FunctionRecord): string {
  if (active === latest) return `${active} is active`;
  if (rollout?.to === latest) return `${active} is active; status.rollout tells how ${latest} takes over`;
  return `${active} is active (spec.traffic.active); ${latest} gets what its share says`;
}
