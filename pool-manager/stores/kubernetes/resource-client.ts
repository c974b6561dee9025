import { ManagerError } from "../../errors.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/error.ts";
import { type Change, Informer } from "../../kubernetes/informer/informer.ts";
import type { KubeObject } from "../../kubernetes/objects.ts";
import { believable } from "../../platform/kruise/leader-election/lease.ts";
import { GROUP, RESOURCES, VERSION } from "./definitions/crds.ts";
import { type Condition, withCondition } from "./status/conditions.ts";

/** The field manager of declarations by the manage API. Fields of other managers are not taken over. */
export const FIELD_MANAGER = "berth-api";
const ATTEMPTS = 6;

/** The part of the Kubernetes client that the stores use. */
export type KubeApi = Pick<KubeClient, "namespace" | "get" | "create" | "replace" | "patch" | "delete" | "stream"> &
  Partial<Pick<KubeClient, "onOutrun" | "onListing">>;

interface WithStatus extends KubeObject {
  status?: { term?: number; observedGeneration?: number; conditions?: Condition[] };
}

export interface ResourceClientOptions<T> {
  kube: KubeApi;
  /** As in objects. */
  kind: string;
  /** As in paths. */
  plural: string;
  /** The leadership's, which is written with each status. */
  term: number;
  onChange(change: Change<T>): void;
  /** Called with the status fields that the server drops, once for each change of them; empty: it keeps all. */
  onDropped(fields: readonly string[]): void;
  /** Called when the server's versions went backwards, before the changes are told. */
  onHistoryReset?(): void;
}

/** A client for the custom resources of one kind: caches them, writes specs by server-side apply, and fences status writes by term. */
export class ResourceClient<T extends WithStatus> {
  readonly #kube: KubeApi;
  readonly #kind: string;
  readonly #path: string;
  readonly #term: number;
  readonly cache: Informer<T>;
  readonly #onDropped: (fields: readonly string[]) => void;
  #dropped: readonly string[] = [];

  constructor({ kube, kind, plural, term, onDropped, ...listeners }: ResourceClientOptions<T>) {
    this.#kube = kube;
    this.#kind = kind;
    this.#path = `${RESOURCES}/namespaces/${kube.namespace}/${plural}`;
    this.#term = term;
    this.#onDropped = onDropped;
    this.cache = new Informer<T>(kube, { path: this.#path, ...listeners });
  }

  /** The fields of the last status that the server has dropped. */
  get dropped(): readonly string[] {
    return this.#dropped;
  }

  /** Applies these fields as the API's field manager. Rejects with 409 if another manager owns them, and 422 if the schema refuses them. */
  async apply(name: string, spec: object): Promise<T> {
    const body = { apiVersion: `${GROUP}/${VERSION}`, kind: this.#kind, metadata: { name }, spec };
    const applied = await this.#kube.patch<T>(`${this.#path}/${name}`, "apply", body, "function", { fieldManager: FIELD_MANAGER, force: "false" });
    this.cache.learn(applied);
    return applied;
  }

  /** Changes the latest status, retrying conflicts. Rejects if the resource is gone, or a later leader has written to it. */
  async updateStatus(resource: T, change: (status: NonNullable<T["status"]>) => object): Promise<T> {
    const { name, uid } = resource.metadata;
    let current = this.#newest(resource);
    for (let attempt = 1; ; attempt++) {
      if (!this.isOurs(current)) {
        this.#kube.onOutrun?.();
        throw new KubeError(409, "Fenced", `${this.#kind} ${name} was written by a later leader`);
      }
      try {
        const status = { ...change((current.status ?? {}) as NonNullable<T["status"]>), term: this.#term };
        const updated = await this.#kube.replace<T>(`${this.#path}/${name}/status`, { ...current, status });
        this.cache.learn(updated);
        this.#compare(status, updated.status ?? {});
        return updated;
      } catch (error) {
        if ((error as KubeError).status !== 409 || attempt === ATTEMPTS) throw error;
        current = await this.get(name);
        if (current.metadata.uid !== uid) throw new KubeError(404, "NotFound", `${this.#kind} ${name} was deleted and created again`);
      }
    }
  }

  /** Reports that this generation of the declaration is in force; `more` returns further fields of the status. */
  accept(resource: T, generation: number, reason: string, message: string, more: (status: T["status"]) => object): Promise<T> {
    return this.#judge(resource, { type: "Accepted", status: "True", reason, message, observedGeneration: generation }, more);
  }

  /** Reports that this generation of the declaration is not valid; the one in force stays. */
  refuse(resource: T, { code, message, fix }: ManagerError): Promise<T> {
    const observedGeneration = resource.metadata.generation ?? 0;
    return this.#judge(resource, { type: "Accepted", status: "False", reason: code, message: `${message}: ${fix}`, observedGeneration }, () => ({}));
  }

  /** Reports that this declaration cannot be ingested now and is being retried; the one in force stays. Writes only a changed condition. */
  async hold(resource: T, { code, message, fix }: Pick<ManagerError, "code" | "message" | "fix">): Promise<void> {
    const observedGeneration = resource.metadata.generation ?? 0;
    const verdict = { type: "Accepted", status: "False", reason: code, message: `${message}: ${fix}`, observedGeneration } as const;
    const known = this.#newest(resource).status?.conditions?.find(({ type }) => type === "Accepted");
    if (known?.reason === code && known.message === verdict.message && known.observedGeneration === observedGeneration) return;
    await this.updateStatus(resource, (status) => ({ ...status, conditions: withCondition(status.conditions, verdict) }));
  }

  /** Whether no later leader has written to the resource. */
  isOurs({ status }: T): boolean {
    return believable(status?.term) <= this.#term;
  }

  get(name: string): Promise<T> {
    return this.#kube.get<T>(`${this.#path}/${name}`);
  }

  /** Reads a resource like `get`; null: there is none. */
  async find(name: string): Promise<T | null> {
    return this.get(name).catch((error: KubeError) => {
      if (error.status === 404) return null;
      throw error;
    });
  }

  create(name: string, spec: object, metadata: object = {}): Promise<T> {
    const body = { apiVersion: `${GROUP}/${VERSION}`, kind: this.#kind, metadata: { ...metadata, name }, spec };
    return this.#kube.create<T>(this.#path, body, "function");
  }

  /** Recreates a deleted resource with its labels, annotations and field ownership. */
  async recreate({ metadata, spec }: T & { spec: object }): Promise<T> {
    const { name, labels, annotations, managedFields } = metadata;
    const made = await this.create(name, spec, { labels, annotations });
    const kept = managedFields?.filter(({ subresource }) => !subresource);
    // A creation makes its creator the owner of every field. The ownership is restored if possible; a refusal is ignored, because the fields matter more.
    const given = await this.#kube
      .patch<T>(`${this.#path}/${name}`, "merge", { metadata: { uid: made.metadata.uid, managedFields: kept } }, "function")
      .catch((error: KubeError) => {
        if (error.status >= 400 && error.status < 500) return made;
        throw error;
      });
    this.cache.learn(given);
    return given;
  }

  /** Returns the resource where finalizers hold it; null: it is gone. */
  async delete({ metadata: { name, uid } }: T): Promise<T | null> {
    const left = await this.#kube.delete<Partial<T> | null>(`${this.#path}/${name}`, { preconditions: { uid } }, "function").catch((error: KubeError) => {
      if (error.status !== 404) throw error;
      return null;
    });
    if (!left?.metadata?.deletionTimestamp) return null;
    this.cache.learn(left as T);
    return left as T;
  }

  close(): void {
    this.cache.close();
  }

  #judge(resource: T, verdict: Omit<Condition, "lastTransitionTime">, more: (status: T["status"]) => object): Promise<T> {
    const { observedGeneration } = verdict;
    return this.updateStatus(resource, (status) => {
      const next: WithStatus["status"] = { ...status, ...more(status) };
      return { ...next, observedGeneration, conditions: withCondition(next.conditions, verdict) };
    });
  }

  /** Detects dropped fields: a definition of another version silently drops those that it does not define. */
  #compare(sent: object, kept: object): void {
    const fields = droppedFields(sent, kept);
    if (fields.join(" ") === this.#dropped.join(" ")) return;
    this.#dropped = fields;
    this.#onDropped(fields);
  }

  #newest(resource: T): T {
    const known = this.cache.get(resource.metadata.name);
    return known && known.metadata.uid === resource.metadata.uid ? known : resource;
  }
}

/** The paths of sent fields that were not kept; fields that were sent as null or undefined do not count. */
export function droppedFields(sent: unknown, kept: unknown, path = ""): string[] {
  if (sent === null || sent === undefined) return [];
  if (kept === null || kept === undefined) return [path];
  if (typeof sent !== "object" || typeof kept !== "object") return [];
  const found = Object.entries(sent).flatMap(([key, value]) => {
    const name = Array.isArray(sent) ? "[]" : `${path && "."}${key}`;
    return droppedFields(value, (kept as Record<string, unknown>)[key], path + name);
  });
  return [...new Set(found)].sort();
}

/** The API server's words for a Secret, a ConfigMap or a request that is too large. */
const TOO_LONG = /Too long: |[Rr]equest entity too large|trying to send message larger than max/;

/** Whether the API server refuses a write for its size: the same object will be refused again. */
export function isTooLarge(error: unknown): boolean {
  const { status, message } = error as KubeError;
  return status === 413 || TOO_LONG.test(message);
}

/** The error that users of the API get for a failed write; `what` names the resource. */
export function storeError(what: string, error: unknown): ManagerError {
  if (error instanceof ManagerError) return error;
  const { status, message } = error as KubeError;
  if (isTooLarge(error)) return new ManagerError("RECORD_TOO_LARGE", `${what} cannot be stored: ${message}`);
  if (status === 409 || status === 422) return new ManagerError("FIELD_OWNED", `the resource of ${what} refuses it: ${message}`);
  return new ManagerError("STORE_FAILED", `could not be stored: ${message}`);
}
