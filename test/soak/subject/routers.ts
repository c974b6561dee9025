import { type Act, fault, pause } from "../acts/act.ts";
import type { History } from "../history.ts";
import { BerthProcess } from "./berth-process.ts";

/** A load balancer asks so often whether a router is ready, and takes a silent one for one that is not. */
const CHECK_INTERVAL_MS = 200;
const LOOK_TIMEOUT_MS = 500;
const READY_MS = 30_000;
/** A paused router is not yet taken for lost by its peers. */
const PAUSE_MS = 3000;
/** Routers see a new peer, and it them, by then. */
const SETTLE_MS = 1500;

interface Member {
  process: BerthProcess;
  url: string;
  admin: string;
  isReady: boolean;
}

/** The routers of an installation, and which of them are ready. */
export class Routers {
  readonly #history: History;
  readonly #flags: (n: number) => readonly string[];
  readonly #members: Member[] = [];
  readonly #checks: NodeJS.Timeout;

  /** `flags`: of `berth`, for the router in this place. */
  constructor(history: History, flags: (n: number) => readonly string[]) {
    this.#history = history;
    this.#flags = flags;
    this.#checks = setInterval(() => {
      for (const member of this.#members) void check(member);
    }, CHECK_INTERVAL_MS);
  }

  async start(n: number): Promise<void> {
    const args = [...this.#flags(n), "router", "--router-port", "0", "--unready", "1000"];
    const process = await BerthProcess.start(args, /^router ready: invoke (\S+) admin (\S+)$/);
    const [, url = "", admin = ""] = process.ready ?? [];
    const member = { process, url, admin, isReady: false };
    this.#members[n] = member;
    for (const deadline = Date.now() + READY_MS; !member.isReady; await pause(50)) {
      await check(member);
      if (!member.isReady && Date.now() > deadline) throw new Error(`the router at ${url} is not ready within ${READY_MS / 1000} s:\n${process.said}`);
    }
  }

  get ready(): string[] {
    return this.#members.filter(({ isReady }) => isReady).map(({ url }) => url);
  }

  get processes(): { of: string; process: BerthProcess }[] {
    return this.#members.map(({ process }, n) => ({ of: `router ${n + 1}`, process }));
  }

  acts(random: () => number): Act[] {
    const any = () => Math.floor(random() * this.#members.length);
    return [
      { name: "router: restarted", weight: 3, run: () => this.#replace(any(), "SIGTERM") },
      { name: "router: killed", weight: 2, run: () => this.#replace(any(), "SIGKILL") },
      { name: "router: paused", weight: 2, run: () => this.#pause(any()) },
    ];
  }

  async close(): Promise<void> {
    clearInterval(this.#checks);
    await Promise.all(this.#members.map(({ process }) => process.end("SIGTERM")));
  }

  async #replace(n: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { process, url } = this.#members[n] as Member;
    const part = `router:${url}` as const;
    // One that is told to stop may break nothing off: that ends no part.
    await fault(this.#history, `router ${n + 1}: ${signal}`, signal === "SIGKILL" ? { ends: [part] } : { stalls: [part] }, async () => {
      await process.end(signal);
      await this.start(n);
    });
    await pause(SETTLE_MS);
  }

  async #pause(n: number): Promise<void> {
    const { process, url } = this.#members[n] as Member;
    await fault(this.#history, `router ${n + 1}: paused`, { stalls: [`router:${url}`] }, async () => {
      process.signal("SIGSTOP");
      await pause(PAUSE_MS);
      process.signal("SIGCONT");
    });
    await pause(SETTLE_MS);
  }
}

async function check(member: Member): Promise<void> {
  const { process, admin } = member;
  const answer = await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) }).catch(() => null);
  member.isReady = process.lives && answer?.ok === true;
}
