import { CGROUP_VARIABLE, type CgroupTree } from "../../../runtime-images/cgroups/cgroup.ts";
import { INSTANCE_VARIABLE } from "../../../runtime-images/protocol/left-behind.ts";
import { WORKER_VARIABLE, type WorkerCommand } from "../../../runtime-images/protocol/worker.ts";

interface SupervisorSettings {
  uid: string;
  dir: string;
  /** Path of its control socket. */
  socket: string;
  /** How it starts workers; null: those of Node beside it. */
  worker: WorkerCommand | null;
  /** Whether it keeps a worker ready for the next revision. */
  keepNext: boolean;
  /** Where it makes the cgroups of its workers; null: nowhere. */
  cgroups: CgroupTree | null;
}

/** The environment variables of an embedded supervisor. */
export function supervisorEnvironment({ uid, dir, socket, worker, keepNext, cgroups }: SupervisorSettings): Record<string, string> {
  return {
    [INSTANCE_VARIABLE]: uid,
    BERTH_INSTANCE_DIR: dir,
    BERTH_CONTROL: socket,
    BERTH_DIE_WITH_STDIN: "1",
    ...(keepNext && { BERTH_KEEP_NEXT: "1" }),
    ...(worker && { [WORKER_VARIABLE]: JSON.stringify(worker) }),
    ...(cgroups && { [CGROUP_VARIABLE]: JSON.stringify(cgroups) }),
  };
}
