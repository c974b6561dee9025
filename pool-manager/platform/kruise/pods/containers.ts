import { type ContainerStatus, type Pod, RUNTIME_CONTAINER } from "../objects/objects.ts";

/** Reasons of waiting containers that do not say what they wait for. */
const UNSPECIFIC = new Set(["ContainerCreating", "PodInitializing"]);

/** Whether the runtime container has started; a restarting one has. */
export function isStarted(pod: Pod): boolean {
  const runtime = runtimeOf(pod);
  return runtime?.state?.running !== undefined || (runtime?.restartCount ?? 0) > 0;
}

/**
 * Why a scheduled pod does not start its runtime: an init container (a webhook may have added one), the runtime's own
 * image or configuration, or the pod's latest warning Event (`warning`), such as a volume.
 */
export function waitingOf(pod: Pod, warning: string | null): string {
  const reason = reasonOf(runtimeOf(pod));
  const specific = reason !== null && !UNSPECIFIC.has(reason.split(":")[0] ?? "") ? reason : null;
  return initTroubleOf(pod) ?? specific ?? warning ?? initialized(pod) ?? reason ?? "its node has not started it yet";
}

/** The reason why the runtime container waits, or how it ended; null: it runs. */
export function runtimeTroubleOf(pod: Pod): string | null {
  const reason = reasonOf(runtimeOf(pod));
  return reason && `its runtime has stopped: ${reason}`;
}

/** Describes the init container that has failed or cannot run; null: none. */
function initTroubleOf({ status }: Pod): string | null {
  for (const container of status.initContainerStatuses ?? []) {
    const { waiting, terminated } = container.state ?? {};
    if ((terminated?.exitCode ?? 0) === 0 && UNSPECIFIC.has(waiting?.reason ?? "PodInitializing")) continue;
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
