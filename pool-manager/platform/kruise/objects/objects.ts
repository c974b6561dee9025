import type { KubeObject, ObjectCondition } from "../../../kubernetes/objects.ts";

export interface ContainerStatus {
  name: string;
  image: string;
  /** Ends with the digest of the image's manifest. */
  imageID?: string;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string }; running?: object; terminated?: { reason?: string; exitCode?: number; message?: string } };
}

export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    containers: { name: string; image: string; resources?: { requests?: Record<string, string>; limits?: Record<string, string> } }[];
  };
  status: {
    phase?: string;
    reason?: string;
    message?: string;
    podIP?: string;
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
    conditions?: ObjectCondition[];
  };
}

export interface CloneSet extends KubeObject {
  spec: {
    replicas: number;
    selector?: { matchLabels?: Record<string, string> };
    scaleStrategy?: { maxUnavailable?: number | string; podsToDelete?: string[] };
    updateStrategy?: { type?: string; partition?: number | string; maxUnavailable?: number | string; maxSurge?: number | string; paused?: boolean };
    template: { metadata?: { labels?: Record<string, string> }; spec: { containers: { name: string; image: string }[] } };
  };
  status?: { observedGeneration?: number; replicas?: number; updateRevision?: string; currentRevision?: string; conditions?: ObjectCondition[] };
}

export const CLONESETS = "/apis/apps.kruise.io/v1alpha1";

/** The API path of a pod in the namespace of a client. */
export function podPath({ namespace }: { namespace: string }, name: string): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

/** Labels and annotations of what Berth owns. */
export const LABEL = {
  /** On every object: the Berth pool that it belongs to. */
  pool: "berth.dev/pool",
  /** On pods: the name of the CloneSet that they belong to; the CloneSet's selector. */
  set: "berth.dev/set",
  /** On a function's CloneSet and pods: the function's uid. */
  function: "berth.dev/function",
  /**
   * On pods: the hash of the template from which their pool's CloneSet created them. On a function's CloneSet: the hash
   * of the pool template that it was created for.
   */
  template: "berth.dev/template",
} as const;

export const ANNOTATION = {
  revision: "berth.dev/revision",
  /** Digest of the code image that the pod was bound to. */
  image: "berth.dev/image",
  /** Leadership term of the last write. */
  term: "berth.dev/term",
  /** Fingerprint of the instance's control certificate, recorded before any user code ran in it. */
  fingerprint: "berth.dev/fingerprint",
} as const;

export const RUNTIME_CONTAINER = "runtime";
export const CODE_CONTAINER = "code";

/** Whether none of the pod's containers runs or will run again. */
export function hasEnded({ status: { phase } }: Pod): boolean {
  return phase === "Failed" || phase === "Succeeded";
}

/** The uid of the CloneSet that owns a pod. */
export function ownerOf(pod: Pod): string | undefined {
  return pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
}
