import type { ControlLine, LoadAnswer, LoadOrder } from "../../../../runtime-images/protocol/messages.ts";
import { Backoff } from "../../../async/backoff.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { type ControlClient, ORDER_MS } from "../../control-client.ts";
import { FingerprintError } from "../../pinned-agent.ts";
import { PlatformError } from "../../platform.ts";
import { FingerprintLog } from "./fingerprint.ts";

const FIRST_PAUSE_MS = 20;
/** The longest pauses between attempts: to connect to the instance, and to read its log, which costs the API server and a kubelet. */
const LONGEST_PAUSE_MS = 2000;
const LONGEST_LOG_PAUSE_MS = 5000;

export interface ConnectionTarget {
  uid: string;
  /** Name of the pod. */
  name: string;
  host: string;
  /** Recorded at the pod when it was claimed; null: the fingerprint is in the pod's log. */
  fingerprint: string | null;
}

export type Control = Pick<ControlClient, "load" | "drain" | "follow" | "warm" | "close">;

/** Opens the control API of an instance with a known fingerprint. */
export type OpenControl = (instance: { uid: string; host: string; fingerprint: string }) => Control;

export interface ConnectionEvents {
  line(line: ControlLine): void;
  /** The connection has broken; it is retried until `close`. */
  broken(): void;
  /** `connected` or `trouble` has changed; called once for each change, before `broken`. */
  changed?(): void;
}

/**
 * The connection to one instance. The peer's identity comes from the API server: the pod's address, and the fingerprint
 * that is recorded at the pod, or else in its log, where it is written before any user code runs.
 */
export class PodConnection {
  readonly #log: FingerprintLog;
  readonly #open: OpenControl;
  readonly #target: ConnectionTarget;
  readonly #events: ConnectionEvents;
  readonly #now: () => number;
  #host: string;
  #client: Control | null = null;
  #fingerprint: string | null;
  #connected = false;
  #trouble: string | null = null;
  #triedSince: number | null = null;
  #closed = false;
  /** Number of the present attempt: events of earlier ones are ignored. */
  #attempt = 0;
  /** Why the last read of the log found no fingerprint; null: it found one. */
  #logTrouble: string | null = null;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_LOG_PAUSE_MS);
  #timer: NodeJS.Timeout | null = null;

  /** `now` returns milliseconds. */
  constructor(
    kube: Pick<KubeClient, "namespace" | "text">,
    open: OpenControl,
    target: ConnectionTarget,
    events: ConnectionEvents,
    now: () => number = () => performance.now(),
  ) {
    this.#now = now;
    this.#log = new FingerprintLog(kube, target.name);
    this.#open = open;
    this.#target = target;
    this.#events = events;
    this.#host = target.host;
    this.#fingerprint = target.fingerprint;
    void this.#connect();
  }

  /** Whether the instance answers: its process lives then, whatever the API server reports. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why there is no connection; null: there is one, or no attempt has failed yet. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * When the first attempt at the present address since the last connection began, on the platform's clock; null: the
   * instance is connected, or no attempt was made there. Reading its log does not count as an attempt.
   */
  get triedSince(): number | null {
    return this.#triedSince;
  }

  /** The fingerprint of the pinned certificate; null while it is not known. */
  get fingerprint(): string | null {
    return this.#fingerprint;
  }

  /** Connects to the pod's new address at once, and drops the connection to the former one. */
  moved(host: string): void {
    if (host === this.#host || this.#closed) return;
    this.#host = host;
    this.#triedSince = null;
    this.#backoff.reset();
    this.#stop();
    this.#tell(false, null);
    void this.#connect();
  }

  load(order: LoadOrder, code: Uint8Array): Promise<LoadAnswer> {
    return this.#reached().load(order, code);
  }

  drain(deadlineMs: number): Promise<void> {
    return this.#reached().drain(deadlineMs);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  /** Throws if the instance has been unreachable for as long as an order would wait for its connection. */
  #reached(): Control {
    const forMs = this.#triedSince === null ? 0 : this.#now() - this.#triedSince;
    if (this.#client && forMs < ORDER_MS) return this.#client;
    const why = this.#trouble ?? (this.#client ? `no connection within ${Math.round(forMs)} ms` : "no attempt has been made yet");
    throw new PlatformError("UNREACHABLE", `the instance ${this.#target.uid} has not been reached: ${why}`);
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const fingerprint = this.#fingerprint ?? (await this.#find(attempt));
    if (fingerprint === null || attempt !== this.#attempt) return;
    this.#fingerprint = fingerprint;
    this.#triedSince ??= this.#now();
    const { uid } = this.#target;
    const client = this.#open({ uid, host: this.#host, fingerprint });
    this.#client = client;
    client.follow(
      (line) => {
        if (attempt === this.#attempt) this.#heard(client, line);
      },
      (error) => {
        if (attempt === this.#attempt) this.#ended(client, error);
      },
    );
  }

  #heard(client: Control, line: ControlLine): void {
    if (!this.#connected) {
      this.#backoff.reset();
      this.#triedSince = null;
      client.warm().catch(() => {});
      this.#tell(true, null);
    }
    if (!this.#closed) this.#events.line(line);
  }

  #ended(client: Control, error: Error | null): void {
    client.close();
    const was = this.#connected;
    // A restarted runtime has another certificate; the API server then returns the new container's log.
    if (error instanceof FingerprintError) this.#fingerprint = null;
    const reason = error?.message ?? "the instance has closed the connection";
    this.#tell(false, error instanceof FingerprintError && this.#logTrouble ? `${reason}; ${this.#logTrouble}` : reason);
    if (was) this.#events.broken();
    this.#retryLater(LONGEST_PAUSE_MS);
  }

  /** Reads the fingerprint from the log. If the log lacks it, the recorded one is retried: another process may have presented the other certificate. */
  async #find(attempt: number): Promise<string | null> {
    try {
      const found = await this.#log.find();
      this.#logTrouble = null;
      return found;
    } catch (error) {
      if (attempt !== this.#attempt) return null;
      this.#logTrouble = (error as Error).message;
      if (this.#target.fingerprint) return this.#target.fingerprint;
      this.#tell(false, this.#logTrouble);
      this.#retryLater(LONGEST_LOG_PAUSE_MS);
      return null;
    }
  }

  #tell(connected: boolean, trouble: string | null): void {
    if (connected === this.#connected && trouble === this.#trouble) return;
    this.#connected = connected;
    this.#trouble = trouble;
    this.#events.changed?.();
  }

  #retryLater(longestMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#connect(), Math.min(this.#backoff.next(), longestMs));
  }

  #stop(): void {
    this.#attempt += 1;
    if (this.#timer) clearTimeout(this.#timer);
    this.#client?.close();
    this.#client = null;
  }
}
