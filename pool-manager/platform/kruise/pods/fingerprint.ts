import pLimit from "p-limit";
import { CONTROL_READY } from "../../../../runtime-images/protocol/messages.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { RUNTIME_CONTAINER } from "../objects/objects.ts";

/** Where nothing speaks before the runtime, its line is within the first bytes; then so many are looked through. */
const FIRST_BYTES = 1024;
const HEAD_BYTES = 64 * 1024;
/** Characters of a strange log that are told. */
const MAX_QUOTED = 160;
/** A kubelet that cannot be reached holds a request up. */
const TIMEOUT_MS = 3000;
/** A log that takes longer is one that probably cannot be read. */
const SLOW_MS = 1000;
/**
 * Logs read at once: the API server's connections are for writes too. Those behind a kubelet that does not answer are
 * read apart, and keep no others waiting.
 */
const quickReads = pLimit(20);
const slowReads = pLimit(4);

const LINE = new RegExp(`${CONTROL_READY} ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})(?![0-9A-F:])`);

/**
 * The log of a pod's runtime container, for the fingerprint in it. A container that is restarted has a log of its own,
 * so there is one true line in each; it is the first of its form, for user code, which could print another, runs later.
 * Other programs may print before it (a webhook's NODE_OPTIONS), with or without a line's end. It is not printed again:
 * after the load, a line in the log would prove nothing.
 */
export class FingerprintLog {
  readonly #kube: Pick<KubeClient, "namespace" | "text">;
  readonly #pod: string;
  #isSlow = false;

  constructor(kube: Pick<KubeClient, "namespace" | "text">, pod: string) {
    this.#kube = kube;
    this.#pod = pod;
  }

  /** Rejects with why the fingerprint is not known. */
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
    const path = `/api/v1/namespaces/${this.#kube.namespace}/pods/${this.#pod}/log`;
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

/** The first one in the text; null: none. */
export function fingerprintIn(log: string): string | null {
  return LINE.exec(log)?.[1] ?? null;
}
