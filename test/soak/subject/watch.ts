import { privateMb } from "../../../bench/subject.ts";
import type { InstanceRow } from "../../../pool-manager/api/schemas/schemas.ts";
import type { History } from "../history.ts";
import type { Installation } from "./installation.ts";

const CHECK_INTERVAL_MS = 500;
const LOOK_TIMEOUT_MS = 3000;
const MEMORY_MS = 5000;

/** Looks at the list of instances and at the memory of processes all the time, and writes down what is no longer listed. */
export class Watch {
  readonly #installation: Installation;
  readonly #history: History;
  readonly #timers: NodeJS.Timeout[];
  #rows = new Map<string, InstanceRow>();
  #isChecking = false;

  constructor(installation: Installation, history: History) {
    this.#installation = installation;
    this.#history = history;
    this.#timers = [setInterval(() => void this.#check(), CHECK_INTERVAL_MS), setInterval(() => this.#weigh(), MEMORY_MS)];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const rows = await instancesAt(this.#installation.manageUrl());
    this.#isChecking = false;
    if (!rows) return;
    const now = new Map(rows.map((row) => [row.uid, row]));
    for (const [instance, { state, function: name }] of this.#rows) {
      if (!now.has(instance)) this.#history.add({ type: "unlisted", instance, state, function: name });
    }
    this.#rows = now;
  }

  #weigh(): void {
    for (const { of, process } of this.#installation.processes()) {
      if (!process.lives) continue;
      try {
        this.#history.add({ type: "memory", of, pid: process.pid, mb: privateMb(process.pid), ageMs: Date.now() - process.startedAt });
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/** The instances as the leader lists them. Null: the leader does not answer now. */
export async function instancesAt(manageUrl: string): Promise<InstanceRow[] | null> {
  try {
    const response = await fetch(`${manageUrl}/v1/instances`, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) });
    return response.ok ? ((await response.json()) as { items: InstanceRow[] }).items : null;
  } catch {
    // A pool manager that ends or is paused: the next look is half a second later.
    return null;
  }
}
