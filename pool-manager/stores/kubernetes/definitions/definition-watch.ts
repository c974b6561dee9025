import { sleep } from "../../../async/wait.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import type { Metadata } from "../../../kubernetes/objects.ts";
import type { KubeApi } from "../resource-client.ts";
import { GROUP, RESOURCES, VERSION } from "./crds.ts";

export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** If the definition may not be read, the kind must be served at this many checks. */
const CHECKS = 3;
const BETWEEN_CHECKS_MS = 2500;
/** The API server's answer to an invalid resource of a kind that it would create. */
const INVALID = 422;

interface DefinitionObject {
  metadata: Pick<Metadata, "uid" | "deletionTimestamp">;
  status?: { conditions?: { type: string; status: string }[] };
}

/**
 * Watches the CustomResourceDefinition of a kind. Its deletion deletes all of its resources without anyone having meant
 * that: a deleted resource counts as intended only while the same definition stands.
 */
export class DefinitionWatch {
  readonly #kube: KubeApi;
  readonly #plural: string;
  readonly #kind: string;
  #uid: string | null = null;

  /** `plural` as in paths, `kind` as in objects. */
  constructor(kube: KubeApi, plural: string, kind: string) {
    this.#kube = kube;
    this.#plural = plural;
    this.#kind = kind;
  }

  /** Remembers the present definition as the one that must stand. */
  async remember(): Promise<void> {
    const found = await this.#read();
    if (found !== "unreadable" && found !== "gone") this.#uid = found.metadata.uid;
  }

  /** Whether the remembered definition exists, and neither it nor the namespace is being deleted. Rejects if the API server cannot tell. */
  async stands(): Promise<boolean> {
    if (await this.#namespaceEnds()) return false;
    const found = await this.#read();
    if (found === "gone") return false;
    if (found === "unreadable") return this.#servedThroughout();
    if (isEnding(found)) return false;
    if (this.#uid === null) return this.#servedThroughout();
    return found.metadata.uid === this.#uid;
  }

  async #read(): Promise<DefinitionObject | "gone" | "unreadable"> {
    try {
      return await this.#kube.get<DefinitionObject>(`${DEFINITIONS}/${this.#plural}.${GROUP}`);
    } catch (error) {
      const { status } = error as KubeError;
      if (status === 404) return "gone";
      if (status === 403 || status === 401) return "unreadable";
      throw error;
    }
  }

  async #namespaceEnds(): Promise<boolean> {
    try {
      const { metadata } = await this.#kube.get<{ metadata: Metadata }>(`/api/v1/namespaces/${this.#kube.namespace}`);
      return metadata.deletionTimestamp !== undefined;
    } catch (error) {
      const { status } = error as KubeError;
      if (status === 404) return true;
      if (status === 403) return false;
      throw error;
    }
  }

  async #servedThroughout(): Promise<boolean> {
    for (let check = 1; ; check++) {
      if (!(await this.#accepts())) return false;
      if (check === CHECKS) return true;
      await sleep(BETWEEN_CHECKS_MS);
    }
  }

  /**
   * Whether the API server would create resources of the kind. For a definition that is being deleted it still lists, but
   * refuses creations before validating them. The probe is never valid, so nothing is created.
   */
  async #accepts(): Promise<boolean> {
    const path = `${RESOURCES}/namespaces/${this.#kube.namespace}/${this.#plural}`;
    const probe = { apiVersion: `${GROUP}/${VERSION}`, kind: this.#kind, metadata: { name: "_probe" } };
    try {
      await this.#kube.create(path, probe, "other");
      return false;
    } catch (error) {
      const { status } = error as KubeError;
      if (status === 0 || status >= 500 || status === 429) throw error;
      return status === INVALID;
    }
  }
}

function isEnding({ metadata, status }: DefinitionObject): boolean {
  return metadata.deletionTimestamp !== undefined || (status?.conditions ?? []).some(({ type, status: is }) => type === "Terminating" && is === "True");
}
