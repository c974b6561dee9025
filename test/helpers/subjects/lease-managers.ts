import { expect, vi } from "vitest";
import { LeaderElection } from "../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { LeaseServer, type Weather } from "../servers/lease-api.ts";

export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** One pool manager as far as the Lease concerns it, and what it was told. */
export class Manager {
  weather: Weather = "fine";
  leadership: LeaderElection | null = null;
  failure: Error | null = null;
  lost: string | null = null;
  troubles: (string | null)[] = [];
  leaders: (string | null)[] = [];
  isDead = false;
  readonly #stop = new AbortController();

  constructor(namespace: Namespace, name: string, isFirst = false) {
    const made = performance.now();
    const kube = namespace.server.client(() => (this.isDead ? "lost" : this.weather));
    const options = {
      kube,
      holder: name,
      url: `http://${name}`,
      highestTerm: async () => {
        if (this.weather !== "fine") throw new Error("no answer");
        return namespace.carried;
      },
      isFirst: () => isFirst && performance.now() - made < 3000,
      onLeader: (holder: string | null) => this.leaders.push(holder),
      onTrouble: (message: string | null) => this.troubles.push(message),
      onLost: (message: string) => {
        this.lost = message;
      },
      stop: this.#stop.signal,
    };
    LeaderElection.acquire(options).then(
      (leadership) => {
        if (this.isDead) return;
        this.leadership = leadership;
        namespace.leads(leadership.term);
      },
      (error: Error) => {
        this.failure = error;
      },
    );
  }

  get certain(): boolean {
    return !this.isDead && (this.leadership?.certain() ?? false);
  }

  /** Waits or leads, and may still. */
  get isUp(): boolean {
    return !this.isDead && this.failure === null && this.lost === null;
  }

  kill(): void {
    this.isDead = true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const released = this.leadership?.release();
    await pass(15_000);
    await released;
    this.isDead = true;
  }
}

export class Namespace {
  readonly server: LeaseServer;
  /** The highest term that any resource carries: a leader writes it first. */
  carried = 0;
  readonly terms: number[] = [];

  constructor(random?: () => number) {
    this.server = new LeaseServer(random);
  }

  leads(term: number): void {
    this.terms.push(term);
    this.carried = Math.max(this.carried, term);
  }
}

/** A namespace whose Lease `a` holds. */
export async function led(): Promise<{ namespace: Namespace; a: Manager }> {
  const namespace = new Namespace();
  const a = new Manager(namespace, "a", true);
  await pass(1000);
  expect(a.leadership?.term).toBe(1);
  return { namespace, a };
}
