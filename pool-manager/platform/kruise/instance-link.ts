import { CONTROL_READY, type ControlLine, type LoadAnswer, type LoadOrder } from "../../../runtime-images/protocol/messages.ts";
import { type ControlClient, FingerprintError } from "../control-client.ts";
import { PlatformError } from "../platform.ts";
import type { Kube } from "./kube.ts";
import { RUNTIME_CONTAINER } from "./objects.ts";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2000;
/** The fingerprint is in the first line of the log. */
const HEAD_BYTES = "256";

export interface LinkTarget {
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

export interface LinkEvents {
  line(line: ControlLine): void;
  /** The connection is gone; it is tried again until the link is closed. */
  broken(): void;
}

/**
 * The connection to one instance. Whom it talks to it learns from the API server, by way of the kubelet: the pod's
 * address, and the fingerprint in the first line of its log, which is written before any user code runs there.
 */
export class InstanceLink {
  readonly #kube: Kube;
  readonly #open: OpenControl;
  readonly #target: LinkTarget;
  readonly #events: LinkEvents;
  #client: Control | null = null;
  #fingerprint: string | null;
  #connected = false;
  #trouble: string | null = null;
  #closed = false;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | null = null;

  constructor(kube: Kube, open: OpenControl, target: LinkTarget, events: LinkEvents) {
    this.#kube = kube;
    this.#open = open;
    this.#target = target;
    this.#events = events;
    this.#fingerprint = target.fingerprint;
    void this.#connect();
  }

  /** The instance answers: its process lives, whatever the API server says. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Of the certificate that it is pinned to; null while it is not known. */
  get fingerprint(): string | null {
    return this.#fingerprint;
  }

  /** Why it is not connected, as far as is known; null: nothing is. */
  get trouble(): string | null {
    return this.#connected ? null : this.#trouble;
  }

  load(order: LoadOrder, code: Uint8Array): Promise<LoadAnswer> {
    return this.#reached().load(order, code);
  }

  drain(deadlineMs: number): Promise<void> {
    return this.#reached().drain(deadlineMs);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#client?.close();
  }

  #reached(): Control {
    if (!this.#client) throw new PlatformError("UNREACHABLE", `the instance ${this.#target.uid} has not been reached yet`);
    return this.#client;
  }

  async #connect(): Promise<void> {
    try {
      this.#fingerprint ??= await this.#readFingerprint();
    } catch (error) {
      this.#trouble = `its log cannot be read: ${(error as Error).message}`;
      return this.#again();
    }
    if (this.#closed) return;
    const { uid, host } = this.#target;
    const client = this.#open({ uid, host, fingerprint: this.#fingerprint });
    this.#client = client;
    client.follow(
      (line) => {
        if (!this.#connected) {
          this.#connected = true;
          this.#pauseMs = FIRST_PAUSE_MS;
          client.warm().catch(() => {});
        }
        this.#events.line(line);
      },
      (error) => this.#ended(client, error),
    );
  }

  #ended(client: Control, error: Error | null): void {
    client.close();
    const was = this.#connected;
    this.#connected = false;
    this.#trouble = error?.message ?? "the connection ended";
    // A runtime that was restarted has another certificate; the log that the API server shows is then its own.
    if (error instanceof FingerprintError) this.#fingerprint = null;
    if (this.#closed) return;
    if (was) this.#events.broken();
    this.#again();
  }

  async #readFingerprint(): Promise<string> {
    const path = `/api/v1/namespaces/${this.#kube.namespace}/pods/${this.#target.name}/log`;
    const text = await this.#kube.text(path, { container: RUNTIME_CONTAINER, limitBytes: HEAD_BYTES });
    const [line = ""] = text.split("\n");
    if (!line.startsWith(`${CONTROL_READY} `)) throw new Error("the runtime has not written its fingerprint yet");
    return line.slice(CONTROL_READY.length + 1).trim();
  }

  #again(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
