import { isDeepStrictEqual } from "node:util";
import { invalid, type Subject } from "../api/api-error.ts";
import { type ApiObject, type Fields, valueAt } from "../objects/object.ts";

/** Seconds that a pod has to end where it says nothing. */
const DEFAULT_GRACE_SECONDS = 30;

/** A fresh pod has no status of its own making. */
export function newPod(pod: ApiObject): ApiObject {
  const spec = pod.spec as Fields;
  const defaults = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: DEFAULT_GRACE_SECONDS,
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  };
  return { ...pod, spec: { ...defaults, ...spec }, status: { phase: "Pending", qosClass: "Burstable" } };
}

/** Checks that an update changes nothing of a pod's spec but images and few other fields. Throws 422. */
export function checkPodUpdate(of: Subject, before: ApiObject, after: ApiObject): void {
  if (!isDeepStrictEqual(fixedOf(before), fixedOf(after))) {
    const allowed =
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)";
    throw invalid(of, "spec", `Forbidden: pod updates may not change fields other than ${allowed}`);
  }
}

function fixedOf({ spec }: ApiObject): Fields {
  const { containers, initContainers, activeDeadlineSeconds: _, tolerations: __, ...fixed } = spec as Fields;
  const withoutImages = (list: unknown) => ((list as Fields[] | undefined) ?? []).map(({ image: _image, ...rest }) => rest);
  return { ...fixed, containers: withoutImages(containers), initContainers: withoutImages(initContainers) };
}

export function hasEnded(pod: ApiObject): boolean {
  const phase = valueAt(pod, ["status", "phase"]);
  return phase === "Failed" || phase === "Succeeded";
}

/** Seconds within which the kubelet must have ended it; 0: there is nothing to end. */
export function graceOf(pod: ApiObject, asked: unknown): number {
  if (!valueAt(pod, ["spec", "nodeName"]) || hasEnded(pod)) return 0;
  if (typeof asked === "number") return Math.max(0, asked);
  return (valueAt(pod, ["spec", "terminationGracePeriodSeconds"]) as number | undefined) ?? DEFAULT_GRACE_SECONDS;
}
