import type { Logger } from "pino";
import { ApiListener, starting } from "./api/listener.ts";
import type { Standby } from "./api/standby.ts";
import { CleanupStack } from "./async/cleanup-stack.ts";
import type { ManagerConfig } from "./config.ts";
import { KubeError } from "./kubernetes/error.ts";
import { lead, type PoolManager } from "./lead.ts";
import { ManagerMetrics } from "./metrics.ts";
import { StartDeadline } from "./start-deadline.ts";
import { StateDirLock } from "./stores/files/state-dir-lock.ts";

export type { PoolManager } from "./lead.ts";

/** Leaderships that one start tries: what the resources carry may be raised while it reads them. */
const TERMS = 3;

/**
 * Wires a pool manager on its platform and starts it; on a cluster it first waits until it leads, and answers in the
 * leader's name meanwhile, until `stop`: then it never leads. Throws `StateDirError`, `KubeError`, `RegistryError`,
 * EADDRINUSE, or the reason of `stop`.
 */
export async function startPoolManager(config: ManagerConfig, root: string, log: Logger, stop: AbortSignal): Promise<PoolManager> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(config, root, log, stop);
    } catch (error) {
      // Something carries a later term than this one's: the next one will be above it.
      if (!(error instanceof KubeError && error.reason === "Fenced") || attempt === TERMS) throw error;
      log.warn({ err: error }, "the leadership is given up, and taken again in a later term");
    }
  }
}

async function startOnce(config: ManagerConfig, root: string, log: Logger, stop: AbortSignal): Promise<PoolManager> {
  const lock = await StateDirLock.acquire(config.stateDir);
  const metrics = new ManagerMetrics();
  const undo = new CleanupStack((error) => log.error({ err: error }, "the pool manager could not be ended in order"));
  undo.add(() => lock.release());
  try {
    const standby = config.platform.kind === "kruise" ? await openStandby(metrics, config, log) : null;
    if (standby) undo.add(() => standby.app.close());
    const front = await ApiListener.listen(config.host, config.port, standby ? (req, res) => standby.app.routing(req, res) : starting);
    undo.add(() => front.close());
    const deadline = new StartDeadline(stop);
    return await deadline.bound(lead(config, root, log, { metrics, standby, front, undo, deadline }));
  } catch (error) {
    await undo.all();
    throw error;
  }
}

/** A pool manager that leads alone imports none of the standby's parts. */
async function openStandby(metrics: ManagerMetrics, config: ManagerConfig, log: Logger): Promise<Standby> {
  const { Standby } = await import("./api/standby.ts");
  const standby = new Standby(metrics.registry, config.keys, log);
  await standby.app.ready();
  return standby;
}
