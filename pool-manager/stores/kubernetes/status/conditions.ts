/** A condition in the status of a Kubernetes object. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  observedGeneration?: number;
  /** When `status` last changed. */
  lastTransitionTime: string;
}

/** The conditions with `next` set; its `lastTransitionTime` changes only with its status. */
export function withCondition(conditions: readonly Condition[] = [], next: Omit<Condition, "lastTransitionTime">): Condition[] {
  const known = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime = known?.status === next.status ? known.lastTransitionTime : `${new Date().toISOString().slice(0, 19)}Z`;
  return [...conditions.filter(({ type }) => type !== next.type), { ...next, lastTransitionTime }];
}
