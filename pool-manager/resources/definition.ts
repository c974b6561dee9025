import type { KubeError } from "../platform/kruise/kube-error.ts";
import type { Metadata } from "../platform/kruise/objects.ts";
import { GROUP, RESOURCES, VERSION } from "./crds.ts";
import type { KubeApi } from "./resource-client.ts";

export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Where the definition itself may not be read, the kind has to be served over this time, looked at so many times. */
const LOOKS = 3;
const BETWEEN_LOOKS_MS = 2500;
/** What the API server answers to a creation that a standing definition would have let through. */
const LET_THROUGH: ReadonlySet<number> = new Set([409, 422]);

interface DefinitionObject {
  metadata: Pick<Metadata, "uid" | "deletionTimestamp">;
  status?: { conditions?: { type: string; status: string }[] };
}

/**
 * The CustomResourceDefinition of a kind. With it all of its resources are deleted, so that their deletions say nothing
 * about what anybody wants of them: only while the same definition stands is a deletion meant.
 */
export class Definition {
  readonly #kube: KubeApi;
  readonly #plural: string;
  /** A spec that the schema accepts. */
  readonly #sample: object;
  #uid: string | null = null;

  constructor(kube: KubeApi, plural: string, sample: object) {
    this.#kube = kube;
    this.#plural = plural;
    this.#sample = sample;
  }

  /** From now on this one is the definition that has to stand. */
  async remember(): Promise<void> {
    const found = await this.#read();
    if (found !== "unreadable" && found !== "gone") this.#uid = found.metadata.uid;
  }

  /** Whether the definition is the one that was remembered, and neither it nor the namespace is being deleted. Rejects where the API server cannot say. */
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
    for (let look = 1; ; look++) {
      if (!(await this.#accepts())) return false;
      if (look === LOOKS) return true;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    }
  }

  /** A definition that is being deleted still lists, and accepts nothing new. */
  async #accepts(): Promise<boolean> {
    const path = `${RESOURCES}/namespaces/${this.#kube.namespace}/${this.#plural}`;
    const probe = { apiVersion: `${GROUP}/${VERSION}`, kind: kindOf(this.#plural), metadata: { name: "berth-probe" }, spec: this.#sample };
    try {
      await this.#kube.create(`${path}?dryRun=All`, probe, "other");
      return true;
    } catch (error) {
      const { status } = error as KubeError;
      if (status === 0 || status >= 500 || status === 429) throw error;
      return LET_THROUGH.has(status);
    }
  }
}

function isEnding({ metadata, status }: DefinitionObject): boolean {
  return metadata.deletionTimestamp !== undefined || (status?.conditions ?? []).some(({ type, status: is }) => type === "Terminating" && is === "True");
}

function kindOf(plural: string): string {
  return `${plural[0]?.toUpperCase()}${plural.slice(1, -1)}`;
}
