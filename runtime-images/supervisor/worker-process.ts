import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { INSTANCE_VARIABLE, killLeftBehind, WORKER_ID_VARIABLE } from "../protocol/left-behind.ts";
import { eachLine } from "../protocol/lines.ts";
import type { LoadError } from "../protocol/messages.ts";
import type { LineOrigin } from "../protocol/telemetry/json-line.ts";
import { type FromWorker, fromWorker, REHEARSAL_VARIABLE, type ToWorker, type WorkerCommand } from "../protocol/worker.ts";
import { WorkerLimits } from "./limits/worker-limits.ts";

/** Environment variables that a worker inherits from the supervisor; the function's own arrive with its load order. */
const INHERITED = ["PATH", "LANG", "LC_ALL", "TZ"];

export interface WorkerOptions {
  /** The uid of its instance. */
  uid: string;
  /** Its number within the instance. */
  id: number;
  dir: string;
  /** The address on which it listens. */
  host: string;
  command: WorkerCommand;
  /** Whether it rehearses before it reports that it is ready: a spare worker does. */
  rehearse: boolean;
  /** Receives each line of its output; undefined: it inherits the supervisor's stdout and stderr. */
  onOutput: ((line: string, served: Served) => void) | undefined;
}

/** The function and revision that a worker has been told to load; empty: none yet. */
export type Served = Pick<LineOrigin, "function" | "revision">;

/** How a worker has ended. */
export interface WorkerEnd {
  reason: Extract<LoadError["reason"], "memory" | "crash">;
  message: string;
}

/** A worker as a child process. The IPC channel buffers messages that are sent before it listens. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #mark: string;
  readonly #limits: WorkerLimits | null;
  #exit: (end: WorkerEnd) => void = () => {};
  /** Orders for a worker that still rehearses, whose requests it must not mix up with those of the function. */
  #held: ToWorker[] | null;
  #served: Served = {};

  constructor({ uid, id, dir, host, command, rehearse, onOutput }: WorkerOptions, onMessage: (message: FromWorker) => void) {
    this.#held = rehearse ? [] : null;
    const home = join(dir, "home");
    // A function may have removed it: it is its temporary directory.
    mkdirSync(home, { recursive: true });
    this.#mark = `${uid}.${id}`;
    const env: Record<string, string> = {
      HOME: home,
      TMPDIR: home,
      ...command.env,
      BERTH_HOST: host,
      [INSTANCE_VARIABLE]: uid,
      [WORKER_ID_VARIABLE]: this.#mark,
    };
    if (rehearse) env[REHEARSAL_VARIABLE] = dir;
    for (const name of INHERITED) {
      const value = process.env[name];
      if (value !== undefined) env[name] = value;
    }
    const [program = "", ...args] = command.command;
    this.#child = spawn(program, args, {
      cwd: home,
      env,
      stdio: onOutput ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "inherit", "inherit", "ipc"],
    });
    const { pid } = this.#child;
    this.#limits = pid === undefined ? null : new WorkerLimits(this.#mark, pid, home, () => this.#exceeded());
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream && onOutput) eachLine(stream, (line) => onOutput(line, this.#served));
    this.#child.on("message", (value) => {
      const message = fromWorker(value);
      if (message?.type === "ready") this.#release();
      if (message) onMessage(message);
    });
    this.#child.on("error", (error) => this.#ended({ reason: "crash", message: `the worker could not start: ${error.message}` }));
    this.#child.on("exit", (code, signal) => {
      // Its end is told first: finding what it has started may take longer than whoever waits for the reason has time.
      const killed = signal === "SIGKILL" ? (this.#limits?.killed() ?? null) : null;
      this.#ended(this.excess ?? killed ?? { reason: "crash", message: describeExit(code, signal) });
      this.#limits?.end();
      // Processes that it has started end with it, even if the instance continues with another worker.
      killLeftBehind(new Set([this.#mark]), WORKER_ID_VARIABLE);
    });
  }

  onExit(callback: (end: WorkerEnd) => void): void {
    this.#exit = callback;
  }

  /** The limit that the worker has exceeded, of which its end is the consequence; null: none. */
  get excess(): WorkerEnd | null {
    return this.#limits?.excess ?? null;
  }

  send(message: ToWorker): void {
    if (message.type === "load" && message.settings.resources) this.#limits?.apply(message.settings.resources);
    if (message.type === "load" && this.#held) this.#held.push(message);
    else if (this.#child.connected) {
      if (message.type === "load") this.#served = { function: message.functionName, revision: message.revision };
      this.#child.send(message);
    }
  }

  /** Tells why before it kills: the reason is known then when connections break. */
  #exceeded(): void {
    const excess = this.excess;
    if (excess) this.#ended(excess);
    this.kill();
  }

  /** Only the first end counts. */
  #ended(end: WorkerEnd): void {
    const tell = this.#exit;
    this.#exit = () => {};
    tell(end);
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const message of held) this.send(message);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === "SIGABRT") return "the function's process aborted (out of memory?)";
  if (signal) return `the function's process was ended by ${signal}`;
  return `the function's process exited with code ${code}`;
}
