import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Instance } from "../protocol/instance.ts";
import { unpackLayer } from "../protocol/layer.ts";
import { INSTANCE_VARIABLE } from "../protocol/left-behind.ts";
import { listenHost } from "../protocol/listen-host.ts";
import { CODE_DIR, CONTROL_PORT, CONTROL_READY, clipError, type Echo, FUNCTION_ROOT, type LoadAnswer, type LoadOrder } from "../protocol/messages.ts";
import { importPublicKey } from "../protocol/signature.ts";
import { readLine } from "../protocol/telemetry/captured-line.ts";
import { jsonLine } from "../protocol/telemetry/json-line.ts";
import { type FromWorker, WORKER_VARIABLE, type WorkerCommand } from "../protocol/worker.ts";
import { awaitCode } from "./arrival.ts";
import { createIdentity } from "./certificate.ts";
import { Control, type Controlled } from "./control.ts";
import { dieWithManager } from "./die-with-manager.ts";
import { LoadAttempt } from "./load-attempt.ts";
import { NextWorker } from "./next-worker.ts";
import { workerCommand } from "./worker-command.ts";
import { type WorkerEnd, type WorkerOptions, WorkerProcess } from "./worker-process.ts";
import { Workers } from "./workers.ts";

/** The supervisor of an instance. It runs no user code, so it stays responsive whatever the function does. */
class Supervisor implements Controlled {
  readonly #instance: Instance;
  readonly #dir: string;
  readonly #control: Control;
  readonly #workers = new Workers();
  readonly uid: string;
  readonly #host: string;
  readonly #command: WorkerCommand;
  /** Whether a worker is kept ready for the next revision. */
  readonly #keepsNext = process.env.BERTH_KEEP_NEXT === "1";
  #next: NextWorker | null = null;
  /** How many workers have been started. */
  #started = 0;
  #loading: LoadAttempt | null = null;
  /** Receives workers' output; undefined: it goes to the supervisor's own standard output. */
  #onOutput: WorkerOptions["onOutput"];

  constructor(uid: string, dir: string, host: string, command: WorkerCommand) {
    this.uid = uid;
    this.#host = host;
    this.#command = command;
    this.#instance = new Instance(uid, randomUUID());
    this.#dir = dir;
    this.#control = new Control(this);
  }

  /** Starts embedded, with control over a Unix socket. */
  start(controlPath: string): void {
    this.#boot();
    this.#control.listen(controlPath, () => process.stdout.write(`${CONTROL_READY}\n`));
  }

  /** Starts in a pod, with control over TLS. The leader reads the fingerprint from the container's log, where it is written before any user code runs. */
  startTls(leaderKey: string): void {
    this.#onOutput = (line, served) => {
      process.stdout.write(`${jsonLine(readLine(line), { ...served, instance: this.uid }, new Date().toISOString())}\n`);
      this.#control.log(line);
    };
    const identity = createIdentity();
    process.stdout.write(`${CONTROL_READY} ${identity.fingerprint}\n`);
    this.#boot();
    void this.#control.listenTls({ host: listenHost(this.#host), port: CONTROL_PORT }, identity, importPublicKey(leaderKey));
  }

  #boot(): void {
    mkdirSync(this.#dir, { recursive: true });
    const booted = join(this.#dir, "booted");
    if (existsSync(booted)) {
      // The runtime container was restarted: files of its earlier boot may be left, so no function is loaded.
      this.#instance.fail({ reason: "crash", message: "the runtime was restarted (out of memory?)", revision: null });
      return;
    }
    writeFileSync(booted, "");
    // The worker is started first: it boots while the rest of the supervisor is set up.
    this.#startWorker(this.#instance.addSpare(), true);
  }

  echo(): Echo {
    return this.#instance.echo();
  }

  load(order: LoadOrder, code: Buffer): LoadAnswer {
    const { answer, assignment, superseded } = this.#instance.accept(order);
    if (superseded !== null) {
      this.#endAttempt(superseded);
      this.#workers.supersede(superseded);
    }
    if (!assignment) {
      if (answer.accepted) this.#control.publish();
      return answer;
    }
    const { workerId: id, start } = assignment;
    if (start && !this.#adoptNext(id)) this.#startWorker(id);
    const loading = new LoadAttempt(id, order.loadTimeoutMs, (message) => this.#loadTimedOut(id, message));
    this.#loading = loading;
    const dir = join(this.#dir, "functions", String(answer.echo.epoch));
    this.#workers.codeIsIn(id, dir);
    const { source, settings } = order;
    if (source.kind === "volume") this.#sendLoad(id, order, join(source.path, settings.entry));
    else if (source.kind === "image")
      loading.cancelArrival = awaitCode(CODE_DIR, order.digest, dir, () => this.#sendLoad(id, order, join(dir, settings.entry)));
    // The answer goes out before unpacking, so that the invocation can be sent meanwhile.
    else setImmediate(() => this.#unpack(id, order, code, dir));
    this.#control.publish();
    return answer;
  }

  drain(deadlineMs: number): void {
    this.#next?.kill();
    this.#next = null;
    for (const id of this.#instance.drain()) this.#workers.retire(id, deadlineMs);
    this.#control.publish();
    this.#endWhenEmpty();
  }

  #unpack(id: number, order: LoadOrder, code: Buffer, dir: string): void {
    if (this.#loading?.workerId !== id) return;
    try {
      unpackLayer(code, dir);
      this.#sendLoad(id, order, join(dir, FUNCTION_ROOT, order.settings.entry));
    } catch (error) {
      this.#loadFailed(id, "load", `the code could not be unpacked: ${(error as Error).message}`);
    }
  }

  #sendLoad(id: number, order: LoadOrder, file: string): void {
    const { functionUid, functionName, revision, settings, env, key } = order;
    this.#workers.send(id, { type: "load", functionUid, functionName, revision, file, settings, env, key });
  }

  #startWorker(id: number, rehearse = false): void {
    try {
      this.#own(id, new WorkerProcess(this.#optionsOf(rehearse), (message) => this.#onMessage(id, message)));
    } catch (error) {
      setImmediate(() => this.#onExit(id, { reason: "crash", message: `the worker could not start: ${(error as Error).message}` }));
    }
  }

  #adoptNext(id: number): boolean {
    const worker = this.#next?.adopt((message) => this.#onMessage(id, message));
    this.#next = null;
    if (worker) this.#own(id, worker);
    return worker !== undefined && worker !== null;
  }

  #own(id: number, worker: WorkerProcess): void {
    worker.onExit((end) => this.#onExit(id, end));
    this.#workers.add(id, worker);
  }

  #optionsOf(rehearse: boolean): WorkerOptions {
    return { uid: this.uid, id: ++this.#started, dir: this.#dir, host: this.#host, command: this.#command, rehearse, onOutput: this.#onOutput };
  }

  /** A next worker that cannot start is none: the revision's own start reports why. */
  #startNext(): void {
    if (!this.#keepsNext || this.#next || this.echo().state !== "warm") return;
    try {
      this.#next = new NextWorker(this.#optionsOf(true));
    } catch {
      this.#next = null;
    }
  }

  #onMessage(id: number, message: FromWorker): void {
    // Its end, which follows, says more than what became of the processes that it has started.
    if ((message.type === "crashed" || message.type === "ailing") && this.#workers.excessOf(id)) return this.#workers.kill(id);
    if (message.type === "answered") return this.#instance.answered(id);
    if (message.type === "loadFailed") return this.#loadFailed(id, "load", message.message);
    if (message.type === "ready") {
      this.#instance.workerReady(id, message.port);
    } else if (message.type === "loaded") {
      this.#loaded(id);
    } else if (message.type === "loading") {
      if (this.#loading?.workerId === id) this.#loading.waitsFor = message.message;
      return;
    } else if (message.type === "ailing") {
      for (const old of this.#instance.ail(id, clipError(message.message))) this.#workers.retire(old, message.deadlineMs);
    } else {
      this.#instance.crashed(id, clipError(message.message));
    }
    this.#control.publish();
  }

  #loaded(id: number): void {
    if (this.#loading?.workerId !== id) return this.#workers.loadedLate(id);
    this.#endAttempt(id);
    for (const old of this.#instance.loaded(id)) this.#workers.retire(old);
    this.#startNext();
  }

  #loadTimedOut(id: number, message: string): void {
    this.#loadFailed(id, "timeout", message);
    this.#workers.kill(id);
  }

  #loadFailed(id: number, reason: "load" | "timeout", message: string): void {
    if (this.#loading?.workerId !== id) return;
    this.#endAttempt(id);
    this.#instance.loadFailed(id, reason, clipError(message));
    this.#startNext();
    this.#control.publish();
    this.#workers.killSoon(id);
  }

  #onExit(id: number, end: WorkerEnd): void {
    this.#workers.ended(id);
    this.#instance.workerExited(id, end.message, end.reason);
    this.#endAttempt(id);
    this.#control.publish();
    this.#endWhenEmpty();
  }

  #endWhenEmpty(): void {
    if (this.echo().state !== "draining" || !this.#workers.isEmpty) return;
    this.#instance.gone();
    this.#control.publish();
    setTimeout(() => process.exit(0), 20);
  }

  #endAttempt(id: number): void {
    if (this.#loading?.workerId !== id) return;
    this.#loading.end();
    this.#loading = null;
  }
}

const { [INSTANCE_VARIABLE]: uid, BERTH_INSTANCE_DIR: dir, BERTH_CONTROL: controlPath, BERTH_LEADER_KEY: leaderKey, BERTH_HOST: host } = process.env;
if (!uid || !dir || !(controlPath || leaderKey)) {
  process.stderr.write("supervisor: BERTH_INSTANCE_UID, BERTH_INSTANCE_DIR and BERTH_CONTROL or BERTH_LEADER_KEY are required\n");
  process.exit(2);
}
if (process.env.BERTH_DIE_WITH_STDIN === "1") dieWithManager(uid);
const supervisor = new Supervisor(uid, dir, host ?? "127.0.0.1", workerCommand(process.env[WORKER_VARIABLE]));
process.on("SIGTERM", () => supervisor.drain(2000));
process.on("SIGINT", () => {});
if (leaderKey) supervisor.startTls(leaderKey);
else if (controlPath) supervisor.start(controlPath);
