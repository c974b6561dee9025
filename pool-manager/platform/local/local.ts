import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CONTROL_READY, type Echo, type LoadAnswer } from "../../../runtime-images/protocol/messages.ts";
import type { WorkerCommand } from "../../../runtime-images/protocol/worker.ts";
import type { Collector } from "../../functions/retention.ts";
import { CodeDir } from "../code-dir.ts";
import { ControlClient } from "../control-client.ts";
import { newInstance } from "../new-instance.ts";
import {
  type Binding,
  checkVersion,
  type Instance,
  type LogListener,
  type NeededCode,
  noInstance,
  type Observation,
  type OpenOrder,
  type Platform,
  PlatformError,
  type PoolScale,
  type PoolTarget,
  type PreparedCode,
  shortage,
  type Target,
} from "../platform.ts";
import type { Cgroups } from "./cgroups.ts";
import { LeftBehind } from "./leftover-processes.ts";
import { ProcessGroup } from "./process-group.ts";
import { supervisorEnvironment } from "./supervisor-environment.ts";

export interface LocalRuntime {
  /** The supervisor program. */
  supervisor: string;
  /** How it starts workers; null: those of Node beside it. */
  worker: WorkerCommand | null;
}

export interface LocalOptions {
  /** Parent of the instances' directories; its path must be short because they contain Unix sockets. */
  dir: string;
  /** Directory of unpacked code. */
  codeDir: string;
  /** The Node that runs supervisors, and workers of Node. */
  node: string;
  /** The program that compiles a module's code cache. */
  compiler: string;
  /** Whether each instance keeps a worker ready for the next revision, at the price of its memory. */
  keepNext?: boolean;
  runtimes: Readonly<Record<string, LocalRuntime>>;
  /** Where workers get cgroups; null: nowhere. */
  cgroups?: Cgroups | null;
  now(): number;
}

interface Member {
  record: Instance;
  group: ProcessGroup;
  control: ControlClient;
  dir: string;
}

/** Runs each instance as a supervised process group with its own directory, control socket and loopback ports. */
export class LocalPlatform implements Platform {
  readonly kind = "local";
  readonly loadPath = "volume";
  readonly #options: LocalOptions;
  readonly #members = new Map<string, Member>();
  readonly #instances = new Map<string, Instance>();
  readonly #listeners = new Set<(uid: string) => void>();
  readonly #logListeners = new Set<LogListener>();
  readonly #code: CodeDir;
  readonly #leftBehind = new LeftBehind();
  #version = 0;
  #synced = false;
  #closed = false;

  constructor(options: LocalOptions) {
    this.#options = options;
    this.#code = new CodeDir(options.codeDir, { node: options.node, program: options.compiler });
  }

  /** Removes directories that an earlier pool manager left; its instances ended with it. */
  async start(): Promise<void> {
    await rm(this.#options.dir, { recursive: true, force: true });
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
    this.#code.open();
    this.#synced = true;
  }

  prepareCode(codes: readonly PreparedCode[]): void {
    for (const { digest, entry, layer } of codes) {
      this.#code.ensure(digest, layer);
      this.#code.compile(digest, entry, layer);
    }
  }

  retainCode({ layers }: NeededCode, collector: Collector): void {
    this.#code.retain(layers, collector);
  }

  observe(): Observation {
    return { synced: this.#synced, instances: this.#instances };
  }

  watch(listener: (uid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onLog(listener: LogListener): void {
    this.#logListeners.add(listener);
  }

  async scalePool(pool: PoolTarget, scale: PoolScale): Promise<void> {
    const runtime = this.#options.runtimes[pool.runtime];
    if (!runtime) throw new PlatformError("UNSUPPORTED", `there is no runtime ${pool.runtime} here`);
    const missing = shortage(pool, scale, this.#instances.values());
    const created = await Promise.allSettled(Array.from({ length: this.#closed ? 0 : missing }, () => this.#create(pool.name, runtime)));
    for (const one of created) if (one.status === "rejected") throw one.reason;
  }

  async load(order: OpenOrder, code: Uint8Array): Promise<LoadAnswer> {
    const member = this.#member(order.uid);
    const source = { kind: "volume", path: this.#code.ensure(order.digest, code) } as const;
    const answer = await member.control.load({ ...order, key: null, source }, new Uint8Array());
    this.#echoed(order.uid, answer.echo);
    return answer;
  }

  async bind(target: Target, binding: Binding): Promise<void> {
    const { record } = this.#matching(target);
    this.#update({ ...record, binding });
  }

  async drain(uid: string, deadlineMs: number): Promise<void> {
    await this.#member(uid).control.drain(deadlineMs);
  }

  async remove(target: Target): Promise<void> {
    const member = this.#matching(target);
    this.#update({ ...member.record, removing: true });
    member.group.kill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const members = [...this.#members.values()];
    for (const member of members) member.group.kill();
    await Promise.all(members.map((member) => member.group.exited));
    this.#leftBehind.flush();
    await this.#options.cgroups?.close();
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  /** Throws `REFUSED` if the instance can have no directory, as on a full disk. */
  async #create(pool: string, { supervisor, worker }: LocalRuntime): Promise<void> {
    const uid = randomBytes(6).toString("hex");
    const dir = join(this.#options.dir, uid);
    const socket = join(dir, "control");
    const record = newInstance({ uid, pool, host: "127.0.0.1", resourceVersion: "" }, this.#options.now());
    this.#update(record);
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
    } catch (error) {
      this.#instances.delete(uid);
      this.#notify(uid);
      throw new PlatformError("REFUSED", `an instance cannot have its directory: ${(error as Error).message}`);
    }
    if (this.#closed) return;
    const env = supervisorEnvironment({ uid, dir, socket, worker, keepNext: this.#options.keepNext === true, cgroups: this.#options.cgroups?.tree ?? null });
    const onLine = (line: string) => {
      if (line === CONTROL_READY) this.#follow(uid);
      else for (const listener of this.#logListeners) listener(uid, line);
    };
    const group = new ProcessGroup([this.#options.node, supervisor], env, onLine);
    this.#members.set(uid, { record: this.#instances.get(uid) ?? record, group, control: new ControlClient({ socketPath: socket }), dir });
    void group.exited.then(() => this.#ended(uid));
  }

  #follow(uid: string): void {
    const control = this.#members.get(uid)?.control;
    control?.follow(({ echo }) => echo && this.#echoed(uid, echo));
    control?.warm().catch(() => {});
  }

  #echoed(uid: string, echo: Echo): void {
    const record = this.#instances.get(uid);
    if (!record) return;
    // Answers and events travel on different connections: an older echo must not replace a newer one.
    if (echo.uid !== uid || (record.echo && echo.version <= record.echo.version)) return;
    const readyAt = record.readyAt ?? (echo.state === "prewarmed" ? this.#options.now() : null);
    this.#update({ ...record, echo, readyAt });
  }

  /** Cleans up after a supervisor that has ended: kills the rest of its group and removes its record and directory. */
  async #ended(uid: string): Promise<void> {
    const member = this.#members.get(uid);
    if (!member) return;
    member.group.kill();
    this.#leftBehind.add(uid);
    member.control.close();
    this.#members.delete(uid);
    this.#instances.delete(uid);
    this.#notify(uid);
    this.#options.cgroups?.removeOf(uid);
    await rm(member.dir, { recursive: true, force: true }).catch(() => {});
  }

  #update(record: Instance): void {
    const next = { ...record, resourceVersion: String(++this.#version) };
    this.#instances.set(record.uid, next);
    const member = this.#members.get(record.uid);
    if (member) member.record = next;
    this.#notify(record.uid);
  }

  #notify(uid: string): void {
    for (const listener of this.#listeners) listener(uid);
  }

  #member(uid: string): Member {
    const member = this.#members.get(uid);
    if (!member) throw noInstance(uid);
    return member;
  }

  #matching(target: Target): Member {
    const member = this.#member(target.uid);
    checkVersion(member.record.resourceVersion, target);
    return member;
  }
}
