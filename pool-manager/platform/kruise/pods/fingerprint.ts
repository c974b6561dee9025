import pLimit from "p-limit";
import { CONTROL_READY } from "../../../../runtime-images/protocol/messages.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { podPath, RUNTIME_CONTAINER } from "../objects/objects.ts";

/** Bytes of the log that are read first, enough if nothing prints before the runtime, and then at most. */
const FIRST_BYTES = 1024;
const HEAD_BYTES = 64 * 1024;
/** How many characters of an unexpected log are quoted. */
const MAX_QUOTED = 160;
/** How long a read may take: an unreachable kubelet delays it. */
const TIMEOUT_MS = 3000;
/** A log whose read takes longer than this probably cannot be read. */
const SLOW_MS = 1000;
/**
 * How many logs are read concurrently: writes share the connections to the API server. Logs behind an unresponsive
 * kubelet have a limit of their own, so that they do not delay others.
 */
const quickReads = pLimit(20);
const slowReads = pLimit(4);

const LINE = new RegExp(`${CONTROL_READY} ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})(?![0-9A-F:])`);

/**
 * Reads the fingerprint from the log of a pod's runtime container. A restarted container has a new log, so each log has
 * one true line: the first of its form, because user code, which could print another, runs later. Other programs may print
 * before it (a webhook's NODE_OPTIONS), with or without a line break. The runtime prints it only once: after the load, a
 * line in the log would prove nothing.
 */
export class FingerprintLog {
  readonly #kube: Pick<KubeClient, "namespace" | "text">;
  readonly #pod: string;
  #isSlow = false;

  constructor(kube: Pick<KubeClient, "namespace" | "text">, pod: string) {
    this.#kube = kube;
    this.#pod = pod;
  }

  /** Resolves with the fingerprint; rejects with the reason why it is not known. */
  async find(): Promise<string> {
    let text = "";
    for (const bytes of [FIRST_BYTES, HEAD_BYTES]) {
      const limit = this.#isSlow ? slowReads : quickReads;
      text = await limit(() => this.#read(bytes));
      const found = fingerprintIn(text);
      if (found) return found;
      if (Buffer.byteLength(text) < bytes) break;
    }
    throw new Error(`no fingerprint in the log: ${whyNone(text)}`);
  }

  async #read(bytes: number): Promise<string> {
    const path = `${podPath(this.#kube, this.#pod)}/log`;
    const since = performance.now();
    try {
      return await this.#kube.text(path, { container: RUNTIME_CONTAINER, limitBytes: String(bytes) }, TIMEOUT_MS);
    } catch (error) {
      throw new Error(`the log cannot be read: ${(error as Error).message}`);
    } finally {
      this.#isSlow = performance.now() - since > SLOW_MS;
    }
  }
}

function whyNone(text: string): string {
  if (Buffer.byteLength(text) >= HEAD_BYTES) return "its beginning was rotated away, or others have written 64 KiB before it";
  const what = text === "" ? "it is empty" : `others have written there ("${firstLineOf(text)}")`;
  return `${what}; the runtime has not written it yet, or the log was rotated`;
}

function firstLineOf(text: string): string {
  return (text.trim().split("\n")[0] ?? "").replaceAll(/[^\x20-\x7e]/g, "?").slice(0, MAX_QUOTED);
}

/** The first fingerprint in the text; null: none. */
export function fingerprintIn(log: string): string | null {
  return LINE.exec(log)?.[1] ?? null;
}
