import type { FunctionRecord, Secrets } from "../../../functions/function.ts";
import type { Collector } from "../../../functions/retention.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import type { Metadata } from "../../../kubernetes/objects.ts";
import { LABEL } from "../../../platform/kruise/objects/objects.ts";
import type { KubeApi } from "../resource-client.ts";
import { decodeSecrets, encodeSecrets } from "./secret-encoding.ts";

/** The pause before a removal is retried if the role may not delete Secrets. */
const REFUSED_MS = 3_600_000;
/** Valid names of Secrets (RFC 1123). Any other name could change the meaning of an API path. */
const SECRET_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

interface SecretObject {
  metadata: Metadata;
  data?: Record<string, string>;
}

/** The values of a user's Secret, and its version. */
export interface SecretValues {
  values: Record<string, string>;
  version: string;
}

/** Reads the Secrets that functions name, and keeps the values of revisions in Secrets of Berth. */
export class FunctionSecrets {
  readonly #kube: KubeApi;
  readonly #path: string;
  /** Berth's Secrets by the uid of their function. */
  readonly #stored = new Map<string, { name: string; uid: string }>();
  #refused: { until: number; error: KubeError } | null = null;
  #damaged: readonly string[] = [];
  readonly #onDamaged: (names: readonly string[]) => void;

  /** `onDamaged` is called with the names of damaged Secrets, once for each change of them; empty: all can be read. */
  constructor(kube: KubeApi, onDamaged: (names: readonly string[]) => void) {
    this.#kube = kube;
    this.#onDamaged = onDamaged;
    this.#path = `/api/v1/namespaces/${kube.namespace}/secrets`;
  }

  /** Reads the kept values by the uid of their function. A damaged Secret is reported and left out. */
  async load(): Promise<Map<string, Secrets>> {
    const { items } = await this.#kube.get<{ items: SecretObject[] }>(this.#path, { labelSelector: LABEL.function });
    const byFunction = new Map<string, Secrets>();
    const damaged: string[] = [];
    for (const { metadata, data } of items) {
      const owner = metadata.labels?.[LABEL.function] ?? "";
      this.#stored.set(owner, metadata);
      if (!data?.revisions) continue;
      const secrets = decodeSecrets(data.revisions);
      if (secrets) byFunction.set(owner, secrets);
      else damaged.push(metadata.name);
    }
    this.#tell(damaged.sort());
    return byFunction;
  }

  /**
   * Stores a function's values. The Secret has no owner reference: the garbage collector would delete it together with the
   * resource's definition, or after a restore from a backup.
   */
  async save(record: FunctionRecord, secrets: Secrets): Promise<void> {
    if (!record.revisions.some(({ secretNames }) => secretNames.length > 0)) return;
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `berth-fn-${record.uid}`, labels: { [LABEL.function]: record.uid } },
      type: "Opaque",
      data: { revisions: encodeSecrets(secrets) },
    };
    const saved = await this.#kube.patch<SecretObject>(`${this.#path}/${secret.metadata.name}`, "apply", secret, "function", {
      fieldManager: "berth",
      force: "true",
    });
    this.#stored.set(record.uid, saved.metadata);
  }

  /** Reads the Secret of this name; null: there is none. */
  async read(name: string): Promise<SecretValues | null> {
    if (!SECRET_NAME.test(name) || name.includes("..")) return null;
    const secret = await this.#kube.get<SecretObject>(`${this.#path}/${name}`).catch((error: KubeError) => {
      if (error.status === 404) return null;
      throw error;
    });
    if (!secret) return null;
    const values = Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, decode(value)]));
    return { values, version: `${secret.metadata.uid}/${secret.metadata.resourceVersion}` };
  }

  /** Removes the Secrets of functions that are not among these, each once the collector allows it. Rejects if the role may not. */
  async retain(functions: ReadonlySet<string>, collector: Collector): Promise<void> {
    const former = [...this.#stored].filter(([owner]) => !functions.has(owner));
    if (former.length > 0 && this.#refused && performance.now() < this.#refused.until) throw this.#refused.error;
    for (const [owner, { name, uid }] of former) {
      const reason = collector.mayGo("secret", owner);
      if (reason === null) continue;
      await this.#kube.delete(`${this.#path}/${name}`, { preconditions: { uid } }, "function").catch((error: KubeError) => {
        if (error.status === 404) return;
        if (error.status === 403) this.#refused = { until: performance.now() + REFUSED_MS, error };
        throw error;
      });
      this.#stored.delete(owner);
      collector.gone("secret", name, reason);
    }
  }

  #tell(damaged: readonly string[]): void {
    if (damaged.join() === this.#damaged.join()) return;
    this.#damaged = damaged;
    this.#onDamaged(damaged);
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
