import { type Act, fault, pause } from "../acts/act.ts";
import type { History } from "../history.ts";
import { BerthProcess } from "./berth-process.ts";
import { eventReader } from "./installation.ts";

const LEADS = /^berth ready/;
const READY = /^berth ready|another pool manager leads/;
/** A leader that is killed is followed by the other within ten seconds; beside other work on the machine it may take longer. */
const TAKEOVER_MS = 40_000;
/** Shorter than the Lease of a leader, and longer: then it finds another in its place. */
const SHORT_MS = 3000;
const LONG_MS = 12_000;
/** A leader that finds another in its place ends within this time. */
const DEPOSED_MS = 20_000;
/** Until routers follow the new leader. */
const SETTLE_MS = 2000;

interface Seat {
  url: string;
  args: readonly string[];
}

interface Member {
  seat: Seat;
  process: BerthProcess | null;
  /** Since when it leads; null: it does not. */
  leadsSince: number | null;
  isPaused: boolean;
}

/** Two pool managers of one namespace, of which one leads. */
export class ManagerPair {
  readonly #history: History;
  readonly #random: () => number;
  readonly #members: readonly Member[];

  constructor(history: History, random: () => number, seats: readonly Seat[]) {
    this.#history = history;
    this.#random = random;
    this.#members = seats.map((seat) => ({ seat, process: null, leadsSince: null, isPaused: false }));
  }

  async start(): Promise<void> {
    for (const member of this.#members) await this.#begin(member);
  }

  /** The URL of any live pool manager: one that does not lead forwards requests. */
  url(): string {
    const living = this.#members.filter(({ process, isPaused }) => process?.lives && !isPaused);
    const members = living.length > 0 ? living : this.#members;
    return members[Math.floor(Math.random() * members.length)]?.seat.url ?? "";
  }

  ledMs(): number {
    return Date.now() - (this.#leader?.leadsSince ?? Date.now());
  }

  get processes(): { of: string; process: BerthProcess }[] {
    return this.#members.flatMap(({ process }, n) => (process ? [{ of: `pool manager ${n + 1}`, process }] : []));
  }

  acts(): Act[] {
    return [
      { name: "pool manager that leads: restarted", weight: 3, run: async () => this.#replace(await this.#led(), "SIGTERM") },
      { name: "pool manager that leads: killed", weight: 2, run: async () => this.#replace(await this.#led(), "SIGKILL") },
      { name: "pool manager that leads: paused", weight: 2, run: () => this.#pause(SHORT_MS) },
      { name: "pool manager that leads: paused until another leads", weight: 2, run: () => this.#pause(LONG_MS) },
      { name: "pool manager that waits: restarted", weight: 1, run: () => this.#replace(this.#standby, this.#random() < 0.5 ? "SIGTERM" : "SIGKILL") },
      { name: "pool managers: both restarted", weight: 1, run: () => this.#restartAll() },
    ];
  }

  async close(): Promise<void> {
    // The standby ends first, so that no other one takes over.
    for (const member of [this.#standby, this.#leader]) await member?.process?.end("SIGTERM");
  }

  get #leader(): Member | undefined {
    return this.#members.find(({ leadsSince, process }) => leadsSince !== null && process?.lives);
  }

  get #standby(): Member | undefined {
    return this.#members.find((member) => member !== this.#leader);
  }

  async #begin(member: Member): Promise<void> {
    const { url, args } = member.seat;
    member.leadsSince = null;
    const read = eventReader(this.#history, url);
    member.process = await BerthProcess.start(args, READY, (line) => {
      if (LEADS.test(line)) member.leadsSince = Date.now();
      read(line);
    });
  }

  async #replace(member: Member | undefined, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!member) throw new Error("there is no such pool manager");
    await this.#during(`${member === this.#leader ? "leader" : "standby"}: ${signal}`, async () => {
      await member.process?.end(signal);
      await this.#led(member);
      await this.#begin(member);
    });
  }

  async #restartAll(): Promise<void> {
    await this.#during("both pool managers: SIGTERM", async () => {
      await this.close();
      await this.start();
      await this.#led();
    });
  }

  /** One that was paused for longer than its Lease ends by itself, since another leads, or leads on where it is found to be still its own. */
  async #pause(ms: number): Promise<void> {
    const member = await this.#led();
    await this.#during(`leader: paused for ${ms} ms`, async () => {
      member.isPaused = true;
      member.process?.signal("SIGSTOP");
      await pause(ms);
      member.process?.signal("SIGCONT");
      member.isPaused = false;
      const other = this.#members.find((one) => one !== member);
      if (other?.leadsSince && !(await member.process?.ended(DEPOSED_MS)))
        throw new Error(`a pool manager lives on ${DEPOSED_MS} ms after another leads:\n${member.process?.said}`);
      // It is known whether it ends as soon as it has read the Lease.
      await pause(SETTLE_MS);
      await this.#led();
    });
  }

  /** Routers hear of nothing new until it is over. */
  async #during(what: string, act: () => Promise<void>): Promise<void> {
    await fault(this.#history, what, { ends: ["manager"] }, async () => {
      await act();
      await pause(SETTLE_MS);
    });
  }

  /** Waits for a leader. A pool manager that has ended by itself is restarted, as in Kubernetes; `away` must stay away meanwhile. */
  async #led(away?: Member): Promise<Member> {
    for (const deadline = Date.now() + TAKEOVER_MS; ; await pause(50)) {
      for (const member of this.#members) if (member !== away && !member.process?.lives) await this.#begin(member);
      const leader = this.#leader;
      if (leader) return leader;
      if (Date.now() > deadline)
        throw new Error(`nobody leads within ${TAKEOVER_MS / 1000} s:\n${this.#members.map(({ process }) => process?.said).join("\n---\n")}`);
    }
  }
}
