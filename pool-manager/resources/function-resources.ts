import { ManagerError } from "../errors.ts";
import type { CodeRef, Declaration, DeclarationListener, FunctionRecord, FunctionStore, Secrets } from "../functions/function.ts";
import { checkName, type Manifest, parseManifest } from "../functions/manifest.ts";
import { isRolling, percentOf } from "../functions/rollout.ts";
import type { Kube } from "../platform/kruise/kube.ts";
import type { KubeError } from "../platform/kruise/kube-error.ts";
import { LABEL } from "../platform/kruise/objects.ts";
import type { Change } from "../platform/kruise/reflector.ts";
import { type Condition, withCondition } from "./conditions.ts";
import { GROUP, VERSION } from "./crds.ts";
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
import { FIELD_MANAGER, ResourceClient, storeError } from "./resource-client.ts";

/** A declaration that could not be taken in for reasons that pass is tried again after this. Milliseconds. */
const AGAIN_MS = 2000;

export interface FunctionResourceOptions {
  kube: Kube;
  term: number;
  runtimes: readonly string[];
  /** Code by the digest of its layer. Throws `CODE_UNKNOWN`. */
  code(digest: string): CodeRef;
  /** Stores the files of a small function as code. */
  upload(files: Record<string, string>): Promise<CodeRef>;
}

interface SecretObject {
  metadata: { labels?: Record<string, string> };
  data?: Record<string, string>;
}

/**
 * Functions as custom resources. A resource's spec is what somebody declares, with kubectl or by way of the API, its
 * status is our record of it. What the API deploys is written as a spec too, in a field manager's name of its own, so
 * that neither way overwrites the other's fields.
 */
export class FunctionResources implements FunctionStore {
  readonly #options: FunctionResourceOptions;
  readonly #client: ResourceClient<FunctionResource>;
  readonly #secrets: string;
  /** Resources that the registry knows, by name: the same name with another uid is another function. */
  readonly #known = new Map<string, string>();
  readonly #queues = new Map<string, Promise<void>>();
  #listener: DeclarationListener | null = null;

  constructor(options: FunctionResourceOptions) {
    this.#options = options;
    const { kube, term } = options;
    this.#client = new ResourceClient<FunctionResource>(kube, "Function", "functions", term, (change) => this.#changed(change));
    this.#secrets = `/api/v1/namespaces/${kube.namespace}/secrets`;
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    await this.#client.cache.start();
    const { items } = await this.#options.kube.get<{ items: SecretObject[] }>(this.#secrets, { labelSelector: LABEL.function });
    const byUid = new Map(items.map((secret) => [secret.metadata.labels?.[LABEL.function], secret.data?.revisions ?? ""]));
    const loaded: { record: FunctionRecord; secrets: Secrets }[] = [];
    for (const resource of this.#client.cache.all()) {
      const record = recordOf(resource);
      if (!record) continue;
      this.#known.set(record.name, resource.metadata.uid);
      const stored = byUid.get(record.uid);
      loaded.push({ record, secrets: stored ? (JSON.parse(Buffer.from(stored, "base64").toString("utf8")) as Secrets) : {} });
    }
    return loaded;
  }

  /** Begins to tell what was declared past the API, what changed while nobody looked included. */
  follow(listener: DeclarationListener): void {
    this.#listener = listener;
    for (const resource of this.#client.cache.all()) this.#consider(resource.metadata.name);
  }

  async save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void> {
    const { name } = record;
    try {
      const resource = declaration ? this.#client.cache.get(name) : await this.#declare(record);
      if (!resource) throw new ManagerError("FUNCTION_NOT_FOUND", `the resource of ${name} was deleted`);
      await this.#saveSecrets(resource, record, secrets);
      const version = declaration?.version ?? resource.metadata.generation ?? 0;
      await this.#client.accept(resource, version, "Deployed", message(record), (status) => withRecord(status, record));
      this.#known.set(name, resource.metadata.uid);
    } catch (error) {
      throw storeError(name, error);
    }
  }

  async progress(record: FunctionRecord): Promise<void> {
    const { name } = record;
    try {
      const resource = this.#client.cache.get(name);
      if (!resource) throw new ManagerError("FUNCTION_NOT_FOUND", `the resource of ${name} was deleted`);
      await this.#client.updateStatus(resource, (status) => ({ ...status, ...withRecord(status, record) }));
    } catch (error) {
      throw storeError(name, error);
    }
  }

  async remove({ name }: FunctionRecord): Promise<void> {
    const resource = this.#client.cache.get(name);
    this.#known.delete(name);
    if (resource) await this.#client.delete(resource).catch((error) => Promise.reject(storeError(name, error)));
  }

  /** Writes how a function fares, where that has changed. Code that has loaded once counts as ready without an instance too. */
  async report(name: string, warm: number, now: Omit<Condition, "lastTransitionTime" | "type">): Promise<void> {
    const resource = this.#client.cache.get(name);
    if (!resource?.status?.uid) return;
    const known = resource.status.conditions?.find(({ type }) => type === "Ready");
    const ready = now.status === "Unknown" && known?.status === "True" && known.message.startsWith(`${resource.status.active} `) ? known : now;
    if (resource.status.warm === warm && known?.status === ready.status && known.reason === ready.reason && known.message === ready.message) return;
    await this.#client.updateStatus(resource, (status) => ({ ...status, warm, conditions: withCondition(status.conditions, { ...ready, type: "Ready" }) }));
  }

  close(): void {
    this.#client.close();
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

  async #saveSecrets(resource: FunctionResource, record: FunctionRecord, secrets: Secrets): Promise<void> {
    if (!record.revisions.some(({ secretNames }) => secretNames.length > 0)) return;
    const { name, uid } = resource.metadata;
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        name: `berth-fn-${record.uid}`,
        labels: { [LABEL.function]: record.uid },
        ownerReferences: [{ apiVersion: `${GROUP}/${VERSION}`, kind: "Function", name, uid }],
      },
      type: "Opaque",
      data: { revisions: Buffer.from(JSON.stringify(secrets)).toString("base64") },
    };
    await this.#options.kube.patch(`${this.#secrets}/${secret.metadata.name}`, "apply", secret, "function", { fieldManager: "berth", force: "true" });
  }

  #changed({ type, object }: Change<FunctionResource>): void {
    const { name, uid } = object.metadata;
    if (type === "present") return this.#consider(name);
    // A listing without it may be a wrong one: only the resource itself can say that it is gone.
    if (type === "missing") return this.#queue(name, () => this.#verifyGone(name, uid));
    if (this.#known.get(name) === uid) this.#queue(name, () => this.#withdraw(name, uid));
  }

  async #verifyGone(name: string, uid: string): Promise<void> {
    try {
      const found = await this.#client.get(name);
      this.#client.cache.learn(found);
      if (found.metadata.uid !== uid) await this.#withdraw(name, uid);
    } catch (error) {
      if ((error as KubeError).status === 404 && (await this.#client.isServed())) return this.#withdraw(name, uid);
      setTimeout(() => this.#queue(name, () => this.#verifyGone(name, uid)), AGAIN_MS).unref();
    }
  }

  async #withdraw(name: string, uid: string): Promise<void> {
    if (this.#known.get(name) !== uid) return;
    this.#known.delete(name);
    await this.#listener?.withdrawn(name);
  }

  #consider(name: string): void {
    if (this.#listener) this.#queue(name, () => this.#take(name));
  }

  /** One after the other for each name. */
  #queue(name: string, work: () => Promise<void>): void {
    const done = (this.#queues.get(name) ?? Promise.resolve()).then(work).catch(() => {
      setTimeout(() => this.#consider(name), AGAIN_MS).unref();
    });
    this.#queues.set(name, done);
    void done.then(() => this.#queues.get(name) === done && this.#queues.delete(name));
  }

  async #take(name: string): Promise<void> {
    const resource = this.#client.cache.get(name);
    if (!resource || resource.metadata.deletionTimestamp || !isPending(resource)) return;
    const { uid } = resource.metadata;
    const known = this.#known.get(name);
    if (known && known !== uid) await this.#withdraw(name, known);
    try {
      await this.#listener?.declared(this.#declaration(resource));
    } catch (error) {
      if (!(error instanceof ManagerError) || error.status >= 500) throw error;
      await this.#client.refuse(resource, error);
    }
  }

  #declaration({ metadata, spec }: FunctionResource): Declaration {
    const { code, traffic: _, secretRef, ...manifest } = spec;
    const { code: known, upload, runtimes } = this.#options;
    return {
      name: checkName(metadata.name),
      ...trafficOf(spec),
      version: metadata.generation ?? 0,
      isPending: () => {
        const now = this.#client.cache.get(metadata.name);
        return now?.metadata.uid === metadata.uid && isPending(now);
      },
      manifest: async (kept): Promise<Manifest> => {
        const secrets = secretRef ? await this.#readSecret(secretRef) : kept;
        return parseManifest({ ...manifest, secrets }, runtimes);
      },
      code: async () => (code?.files ? upload(code.files) : known(code?.digest ?? "")),
    };
  }

  async #readSecret(name: string): Promise<Record<string, string>> {
    const secret = await this.#options.kube.get<SecretObject>(`${this.#secrets}/${name}`).catch((error: KubeError) => {
      if (error.status !== 404) throw error;
      throw new ManagerError("MANIFEST_INVALID", `secretRef: there is no Secret ${name}`, "secretRef");
    });
    return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
  }
}

function isPending({ metadata, status }: FunctionResource): boolean {
  return status?.observedGeneration !== metadata.generation;
}

function withRecord(status: FunctionStatus | undefined, record: FunctionRecord): FunctionStatus {
  return { ...statusOf(record), conditions: withCondition(status?.conditions, rolledOut(record)) };
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
