import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Instance } from "../protocol/instance.ts";
import { unpackLayer } from "../protocol/layer.ts";
import { CONTROL_READY, type Echo, FUNCTION_ROOT, type LoadAnswer, type LoadOrder, MAX_ERROR_CHARS } from "../protocol/messages.ts";
import { Control, type Controlled } from "./control.ts";
import type { FromWorker } from "./ipc.ts";
import { writeRehearsal } from "./rehearsal.ts";
import { WorkerProcess } from "./worker-process.ts";

/** Runs no user code: it stays responsive whatever the function does. */
class Supervisor implements Controlled {
  readonly #instance: Instance;
  readonly #dir: string;
  readonly #control: Control;
  readonly #processes = new Map<number, WorkerProcess>();
  #loadDeadline: NodeJS.Timeout | null = null;
  /** Milliseconds that a retiring worker has to finish; follows the function's timeout. */
  #retireMs = 30_000;

  constructor(uid: string, dir: string) {
    this.#instance = new Instance(uid, randomUUID());
    this.#dir = dir;
    this.#control = new Control(this);
  }

  start(controlPath: string): void {
    mkdirSync(join(this.#dir, "home"), { recursive: true });
    // The worker first: it boots while the rest of the supervisor is set up.
    this.#startWorker(this.#instance.addSpare(), writeRehearsal(this.#dir));
    this.#control.listen(controlPath, () => process.stdout.write(`${CONTROL_READY}\n`));
  }

  echo(): Echo {
    return this.#instance.echo();
  }

  load(order: LoadOrder, code: Buffer): LoadAnswer {
    const { answer, assignment } = this.#instance.accept(order);
    if (!assignment) return answer;
    const id = assignment.workerId;
    if (assignment.start) this.#startWorker(id);
    this.#loadDeadline = setTimeout(() => this.#loadTimedOut(id, order.loadTimeoutMs), order.loadTimeoutMs);
    const dir = join(this.#dir, "code", String(answer.echo.epoch));
    // Unpacking waits for the answer: whoever gets it can send the invocation meanwhile.
    if (order.source.kind === "volume") this.#sendLoad(id, order, join(order.source.path, order.settings.entry));
    else setImmediate(() => this.#unpack(id, order, code, dir));
    this.#control.publish();
    return answer;
  }

  drain(deadlineMs: number): void {
    for (const id of this.#instance.drain()) this.#retire(id, deadlineMs);
    this.#control.publish();
    this.#endWhenEmpty();
  }

  #unpack(id: number, order: LoadOrder, code: Buffer, dir: string): void {
    try {
      unpackLayer(code, dir);
      this.#sendLoad(id, order, join(dir, FUNCTION_ROOT, order.settings.entry));
    } catch (error) {
      this.#loadFailed(id, "load", `the code could not be unpacked: ${(error as Error).message}`);
    }
  }

  #sendLoad(id: number, order: LoadOrder, file: string): void {
    const { functionUid, functionName, revision, settings, env } = order;
    this.#processes.get(id)?.send({ type: "load", functionUid, functionName, revision, file, settings, env });
  }

  #startWorker(id: number, rehearsal?: string): void {
    const worker = new WorkerProcess(this.#dir, rehearsal, (message) => this.#onMessage(id, message));
    worker.onExit((how) => this.#onExit(id, how));
    this.#processes.set(id, worker);
  }

  #onMessage(id: number, message: FromWorker): void {
    if (message.type === "ready") {
      this.#instance.workerReady(id, message.port);
    } else if (message.type === "loaded") {
      this.#loaded(id);
    } else if (message.type === "loadFailed") {
      this.#loadFailed(id, "load", message.message);
      return;
    } else {
      this.#instance.fail({ reason: "crash", message: clip(message.message), revision: this.echo().revision });
    }
    this.#control.publish();
  }

  #loaded(id: number): void {
    this.#clearDeadline();
    const retired = this.#instance.loaded(id);
    for (const old of retired) this.#retire(old, this.#retireMs);
    const { epoch } = this.echo();
    if (epoch > 2) rmSync(join(this.#dir, "code", String(epoch - 2)), { recursive: true, force: true });
  }

  #loadTimedOut(id: number, ms: number): void {
    this.#loadFailed(id, "timeout", `the code did not load within ${ms} ms (loadTimeout)`);
    this.#processes.get(id)?.kill();
  }

  #loadFailed(id: number, reason: "load" | "timeout", message: string): void {
    this.#clearDeadline();
    this.#instance.loadFailed(id, reason, clip(message));
    this.#control.publish();
    // Time for the worker to answer the requests it had parked.
    setTimeout(() => this.#processes.get(id)?.kill(), 200);
  }

  #retire(id: number, deadlineMs: number): void {
    const worker = this.#processes.get(id);
    if (!worker) return;
    worker.send({ type: "drain" });
    setTimeout(() => worker.kill(), deadlineMs).unref();
  }

  #onExit(id: number, how: string): void {
    this.#processes.delete(id);
    const before = this.echo().state;
    this.#instance.workerExited(id, how);
    if (before === "specializing" && this.echo().state !== "specializing") this.#clearDeadline();
    this.#control.publish();
    this.#endWhenEmpty();
  }

  #endWhenEmpty(): void {
    if (this.echo().state !== "draining" || this.#processes.size > 0) return;
    this.#instance.gone();
    this.#control.publish();
    setTimeout(() => process.exit(0), 20);
  }

  #clearDeadline(): void {
    if (this.#loadDeadline) clearTimeout(this.#loadDeadline);
    this.#loadDeadline = null;
  }
}

function clip(text: string): string {
  return text.length > MAX_ERROR_CHARS ? `${text.slice(0, MAX_ERROR_CHARS)}…` : text;
}

/** Embedded, stdin is a pipe that the manager holds: its end is the manager's death, however it died. */
function dieWithManager(): void {
  const killGroup = () => process.kill(0, "SIGKILL");
  process.stdin.on("end", killGroup).on("error", killGroup).resume();
}

const { BERTH_INSTANCE_UID: uid, BERTH_INSTANCE_DIR: dir, BERTH_CONTROL: controlPath } = process.env;
if (!uid || !dir || !controlPath) {
  process.stderr.write("supervisor: BERTH_INSTANCE_UID, BERTH_INSTANCE_DIR and BERTH_CONTROL are required\n");
  process.exit(2);
}
if (process.env.BERTH_DIE_WITH_STDIN === "1") dieWithManager();
const supervisor = new Supervisor(uid, dir);
process.on("SIGTERM", () => supervisor.drain(2000));
process.on("SIGINT", () => {});
supervisor.start(controlPath);
