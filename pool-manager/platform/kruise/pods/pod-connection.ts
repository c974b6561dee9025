import type { ControlLine, LoadAnswer, LoadOrder } from "../../../../runtime-images/protocol/messages.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { type ControlClient, ORDER_MS } from "../../control-client.ts";
import { FingerprintError } from "../../pinned-agent.ts";
import { PlatformError } from "../../platform.ts";
import { FingerprintLog } from "./fingerprint.ts";

const FIRST_PAUSE_MS = 20;
/** Between attempts on the instance itself, and between those on its log, which cost the API server and a kubelet. */
const LONGEST_PAUSE_MS = 2000;
const LONGEST_LOG_PAUSE_MS = 5000;

export interface ConnectionTarget {
  uid: string;
  /** Name of the pod. */
  name: string;
  host: string;
  /** Recorded with the pod when it was claimed; null: in its log. */
  fingerprint: string | null;
}

export type Control = Pick<ControlClient, "load" | "drain" | "follow" | "warm" | "close">;

/** Opens the control API of an instance whose certificate is known. */
export type OpenControl = (instance: { uid: string; host: string; fingerprint: string }) => Control;

export interface ConnectionEvents {
  line(line: ControlLine): void;
  /** The connection is gone; it is tried again until the link is closed. */
  broken(): void;
  /** `connected` or `trouble` has changed; called once for each change, before `broken`. */
  changed?(): void;
}

/**
 * The connection to one instance. Whom it talks to it learns from the API server: the pod's address, and the
 * fingerprint that was recorded with the pod, or else is in its log, written before any user code runs there.
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
  /** Counts attempts: what an earlier one still brings is not listened to. */
  #attempt = 0;
  /** Why the log did not tell the fingerprint, when it was read last. */
  #logTrouble: string | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | null = null;

  /** `now` in milliseconds. */
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

  /** The instance answers: its process lives, whatever the API server says. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why it is not connected; null: it is, or no attempt has failed yet. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * When the instance was first tried at its present address since it was last connected, on the platform's clock; null:
   * it is connected, or has not been tried there. Reading its log is no attempt on it.
   */
  get triedSince(): number | null {
    return this.#triedSince;
  }

  /** Of the certificate that it is pinned to; null while it is not known. */
  get fingerprint(): string | null {
    return this.#fingerprint;
  }

  /** The pod has another address: what was there before is let go, and this one is tried at once. */
  moved(host: string): void {
    if (host === this.#host || this.#closed) return;
    this.#host = host;
    this.#triedSince = null;
    this.#pauseMs = FIRST_PAUSE_MS;
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

  /** Throws where an order would only wait for what is waited for already. */
  #reached(): Control {
    const forMs = this.#triedSince === null ? 0 : this.#now() - this.#triedSince;
    if (this.#client && forMs < ORDER_MS) return this.#client;
    const why = this.#trouble ?? (this.#client ? `no connection within ${Math.round(forMs)} ms` : "it has not been tried yet");
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
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#triedSince = null;
      client.warm().catch(() => {});
      this.#tell(true, null);
    }
    if (!this.#closed) this.#events.line(line);
  }

  #ended(client: Control, error: Error | null): void {
    client.close();
    const was = this.#connected;
    // A runtime that was restarted has another certificate; the log that the API server shows is then its own.
    if (error instanceof FingerprintError) this.#fingerprint = null;
    const reason = error?.message ?? "the instance has closed the connection";
    this.#tell(false, error instanceof FingerprintError && this.#logTrouble ? `${reason}; ${this.#logTrouble}` : reason);
    if (was) this.#events.broken();
    this.#retryLater(LONGEST_PAUSE_MS);
  }

  /** By the log; where it is not there, the recorded one is tried again by turns: what has shown another may have been somebody else. */
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
    const pauseMs = Math.min(this.#pauseMs, longestMs);
    this.#timer = setTimeout(() => void this.#connect(), pauseMs);
    this.#pauseMs = pauseMs * 2;
  }

  #stop(): void {
    this.#attempt += 1;
    if (this.#timer) clearTimeout(this.#timer);
    this.#client?.close();
    this.#client = null;
  }
}
