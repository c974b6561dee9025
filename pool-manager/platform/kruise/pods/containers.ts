import { type ContainerStatus, type Pod, RUNTIME_CONTAINER } from "../objects/objects.ts";

/** Reasons for which a container waits that do not say what for. */
const UNTOLD = new Set(["ContainerCreating", "PodInitializing"]);

/** A container that restarts has started, too. */
export function isStarted(pod: Pod): boolean {
  const runtime = runtimeOf(pod);
  return runtime?.state?.running !== undefined || (runtime?.restartCount ?? 0) > 0;
}

/**
 * What keeps a pod with a node from starting its runtime: an init container (a webhook may have put one in), the
 * runtime's own image or configuration, or what the pod's latest warning Event says (`warning`), such as a volume.
 */
export function waitingOf(pod: Pod, warning: string | null): string {
  const reason = reasonOf(runtimeOf(pod));
  const told = reason !== null && !UNTOLD.has(reason.split(":")[0] ?? "") ? reason : null;
  return initTroubleOf(pod) ?? told ?? warning ?? initialized(pod) ?? reason ?? "its node has not started it yet";
}

/** What the runtime container waits for, or how it has ended; null: it runs. */
export function runtimeTroubleOf(pod: Pod): string | null {
  const reason = reasonOf(runtimeOf(pod));
  return reason && `its runtime has stopped: ${reason}`;
}

/** Of the init container that has failed, or cannot run. */
function initTroubleOf({ status }: Pod): string | null {
  for (const container of status.initContainerStatuses ?? []) {
    const { waiting, terminated } = container.state ?? {};
    if ((terminated?.exitCode ?? 0) === 0 && UNTOLD.has(waiting?.reason ?? "PodInitializing")) continue;
    return `init container ${container.name}: ${reasonOf(container)}`;
  }
  return null;
}

function reasonOf(container: ContainerStatus | undefined): string | null {
  const { waiting, terminated } = container?.state ?? {};
  const parts = waiting ? [waiting.reason, waiting.message] : [terminated?.reason, terminated?.message?.trim(), exitOf(terminated)];
  return parts.filter(Boolean).join(": ") || null;
}

function exitOf(terminated: { exitCode?: number } | undefined): string | undefined {
  return terminated?.exitCode === undefined ? undefined : `exit code ${terminated.exitCode}`;
}

function initialized({ status }: Pod): string | null {
  const condition = status.conditions?.find(
    ({ type, status: value, reason }) => type === "Initialized" && value === "False" && reason !== "ContainersNotInitialized",
  );
  return condition ? [condition.reason, condition.message].filter(Boolean).join(": ") : null;
}

function runtimeOf({ status }: Pod): ContainerStatus | undefined {
  return status.containerStatuses?.find(({ name }) => name === RUNTIME_CONTAINER);
}
