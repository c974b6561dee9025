import type { Control, OpenControl } from "../../../pool-manager/platform/kruise/pods/pod-connection.ts";
import { FingerprintError } from "../../../pool-manager/platform/pinned-agent.ts";
import { PlatformError } from "../../../pool-manager/platform/platform.ts";
import type { ControlLine, LoadAnswer, LoadOrder } from "../../../runtime-images/protocol/messages.ts";
import type { MemoryInstance } from "./instance.ts";

/** One way. */
const LATENCY_MS = 1;
/** A connection on which nothing comes through is given up after this, and so is an order. */
const SILENCE_MS = 4000;
const ORDER_MS = 5000;

/** The network between pool managers and instances: addresses, and paths that may be cut. */
export class PodNetwork {
  #addresses = 1;
  readonly #instances = new Map<string, MemoryInstance>();
  readonly #controls = new Set<MemoryControl>();
  /** Addresses to which nothing comes through, and from which nothing comes. */
  readonly #cut = new Set<string>();

  /** The address of the next pod. */
  address(): string {
    const number = this.#addresses++;
    return `10.244.${Math.floor(number / 250)}.${(number % 250) + 1}`;
  }

  attach(host: string, instance: MemoryInstance): void {
    this.#instances.set(host, instance);
  }

  /** Removes an address: connections to it are refused. */
  detach(host: string): void {
    this.#instances.delete(host);
  }

  at(host: string): MemoryInstance | undefined {
    return this.#instances.get(host);
  }

  /** Packets to and from an address are dropped; what was open stays open. */
  cut(host: string): void {
    this.#cut.add(host);
    for (const control of this.#controls) control.cut(host);
  }

  mend(host: string): void {
    this.#cut.delete(host);
  }

  isCut(host: string): boolean {
    return this.#cut.has(host);
  }

  readonly open: OpenControl = (target) => {
    const control = new MemoryControl(this, target, () => this.#controls.delete(control));
    this.#controls.add(control);
    return control;
  };
}

/** The control API of the instance at an address, as `ControlClient` reaches it over TLS. */
class MemoryControl implements Control {
  readonly #network: PodNetwork;
  readonly #target: Parameters<OpenControl>[0];
  readonly #closed: () => void;
  #end: (error: Error | null) => void = () => {};
  #over = false;
  /** Orders to an instance come one after the other, as they were sent. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(network: PodNetwork, target: Parameters<OpenControl>[0], closed: () => void) {
    this.#network = network;
    this.#target = target;
    this.#closed = closed;
  }

  follow(onLine: (line: ControlLine) => void, onEnd: (error: Error | null) => void = () => {}): void {
    let ended = false;
    let unfollow = () => {};
    this.#end = (error) => {
      if (ended) return;
      ended = true;
      unfollow();
      onEnd(error);
    };
    this.#reach().then(
      (instance) => {
        if (ended || this.#over) return this.#end(null);
        unfollow = instance.follow((line) => {
          const copy = structuredClone(line);
          setTimeout(() => {
            if (ended || this.#network.isCut(this.#target.host)) return;
            onLine(copy);
            if (instance.ended) this.#end(null);
          }, LATENCY_MS);
        });
      },
      (error: Error) => this.#end(error),
    );
  }

  load(order: LoadOrder, _code: Uint8Array): Promise<LoadAnswer> {
    const copy = structuredClone(order);
    return this.#order((instance) => instance.load(copy));
  }

  drain(deadlineMs: number): Promise<void> {
    return this.#order((instance) => instance.drain(deadlineMs));
  }

  async warm(): Promise<void> {
    await this.#order(() => {});
  }

  close(): void {
    this.#over = true;
    this.#closed();
    this.#end(null);
  }

  cut(host: string): void {
    if (host === this.#target.host) setTimeout(() => this.#network.isCut(host) && this.#end(new Error(`silent for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  }

  #order<T>(work: (instance: MemoryInstance) => T): Promise<T> {
    const sent = this.#last.then(async () => {
      try {
        const answer = work(await this.#reach());
        await wait(LATENCY_MS);
        if (this.#network.isCut(this.#target.host)) throw await silence();
        return structuredClone(answer);
      } catch (error) {
        throw new PlatformError("UNREACHABLE", `the instance does not answer: ${(error as Error).message}`);
      }
    });
    this.#last = sent.catch(() => {});
    return sent;
  }

  async #reach(): Promise<MemoryInstance> {
    const { host, fingerprint } = this.#target;
    await wait(LATENCY_MS);
    if (this.#network.isCut(host)) throw await silence();
    const instance = this.#network.at(host);
    if (!instance || instance.ended) throw new Error(`connect ECONNREFUSED ${host}`);
    if (instance.fingerprint !== fingerprint) throw new FingerprintError();
    return instance;
  }
}

async function silence(): Promise<Error> {
  await wait(ORDER_MS);
  return new Error(`no answer within ${ORDER_MS} ms`);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
