import { type ChildProcess, spawn } from "node:child_process";
import { startTemporary, type UpOptions } from "../../cli/up.ts";
import { TestBerth, until } from "./berth.ts";

/** A router in a process of its own. */
export interface RouterProcess {
  url: string;
  adminUrl: string;
  child: ChildProcess;
}

export interface BerthProcess {
  child: ChildProcess;
  line: RegExpExecArray;
  said(): string;
}

/** The program as this checkout has built it. */
export const BERTH = "dist/berth.js";

/** Starts `berth ARGS`, and resolves with the line that says it is ready, within `ms`. `program` may be another build of Berth. */
export async function berthProcess(args: readonly string[], ready: RegExp, ms = 10_000, program = BERTH): Promise<BerthProcess> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  await until(() => ready.test(text) || child.exitCode !== null, `berth ${args.join(" ")} has started`, ms);
  const line = ready.exec(text);
  if (!line) throw new Error(`berth ${args.join(" ")} ended: ${text}`);
  return { child, line, said: () => text };
}

/** A pool manager without a router, and routers in processes of their own. */
export class Fleet {
  readonly berth: TestBerth;
  readonly #processes: ChildProcess[] = [];

  private constructor(berth: TestBerth) {
    this.berth = berth;
  }

  static async start(options: Partial<UpOptions> = {}): Promise<Fleet> {
    return new Fleet(new TestBerth(await startTemporary(options, false)));
  }

  /** Starts a router; `flags` are further options. */
  async router(flags: readonly string[] = [], manager = this.berth.berth.manageUrl): Promise<RouterProcess> {
    const args = ["--url", manager, "router", "--router-port", "0", "--unready", "1000", ...flags];
    const { child, line } = await berthProcess(args, /^router ready: invoke (\S+) admin (\S+)$/m);
    this.#processes.push(child);
    const [, url = "", adminUrl = ""] = line;
    return { url, adminUrl, child };
  }

  async ready(router: RouterProcess): Promise<void> {
    await until(async () => (await fetch(`${router.adminUrl}/readyz`)).ok, "the router has a table");
  }

  async close(): Promise<void> {
    const ended = this.#processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(
      ended.map((child) => {
        child.kill("SIGKILL");
        return new Promise((resolve) => child.once("exit", resolve));
      }),
    );
    await this.berth.close();
  }
}
