import { apiserver, kruise, kubelet } from "../../cluster/machine/daemons.ts";
import { type Daemon, pidOf, settled, start, stop } from "../../cluster/machine/processes.ts";
import type { History } from "../history.ts";
import { type Act, fault, pause } from "./act.ts";

const PAUSE_MS = 5000;
/** How long Kruise's webhooks answer no request. */
const WEBHOOK_MS = 10_000;

/** Parts of the cluster that Berth depends on: the API server, Kruise with its webhooks, a kubelet. */
export class ClusterFaults {
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  acts(): Act[] {
    const of = (daemon: Daemon, restarts: number, pauses: number): Act[] => [
      { name: `${daemon.name}: restarted`, weight: restarts, run: () => this.#restart(daemon, 0) },
      { name: `${daemon.name}: paused`, weight: pauses, run: () => this.#pause(daemon) },
    ];
    return [
      ...of(apiserver, 1, 2),
      ...of(kruise, 1, 1),
      ...of(kubelet, 1, 1),
      { name: "webhooks of kruise: away", weight: 1, run: () => this.#restart(kruise, WEBHOOK_MS) },
    ];
  }

  async #restart(daemon: Daemon, awayMs: number): Promise<void> {
    await fault(this.#history, `${daemon.name}: restarted after ${awayMs} ms`, { stalls: ["cluster"] }, async () => {
      await stop(daemon.name);
      try {
        await pause(awayMs);
      } finally {
        start(daemon);
        await settled(daemon);
      }
    });
  }

  async #pause({ name }: Daemon): Promise<void> {
    const pid = pidOf(name);
    if (!pid) throw new Error(`${name} does not run`);
    await fault(this.#history, `${name}: paused`, { stalls: ["cluster"] }, async () => {
      process.kill(pid, "SIGSTOP");
      await pause(PAUSE_MS);
      process.kill(pid, "SIGCONT");
    });
  }
}
