import type { WritePurpose } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";

/** Purposes of background writes, with a description: they are retried, and no caller reports their failures. */
const BACKGROUND: Partial<Record<WritePurpose, string>> = {
  heal: "correction of CloneSets",
  image: "download of code images ahead of their use",
};
/** How many failing objects of one purpose are remembered. */
const MAX_PATHS = 1000;

export interface WriteFailuresOptions {
  /** Counts a failed write by the server's reason. */
  count(purpose: WritePurpose, reason: string): void;
  /** Reports once that a step fails and is being retried, and null once it works. */
  tell(step: string, message: string | null): void;
}

/** Counts failed writes and reports those in the background: once for each new reason, and once when all succeed. */
export class WriteFailures {
  readonly #options: WriteFailuresOptions;
  /** Reasons by path of the objects whose last write failed. */
  readonly #failing = new Map<WritePurpose, Map<string, string>>();

  constructor(options: WriteFailuresOptions) {
    this.#options = options;
  }

  /** Records the outcome of a write; null: it succeeded. */
  ended(purpose: WritePurpose, path: string, error: KubeError | null): void {
    if (error) this.#options.count(purpose, reasonOf(error));
    const step = BACKGROUND[purpose];
    if (!step) return;
    const failing = this.#failing.get(purpose) ?? new Map<string, string>();
    this.#failing.set(purpose, failing);
    if (error && !isRace(purpose, error)) this.#failed(failing, path, step, error);
    else if (failing.delete(path) && failing.size === 0) this.#options.tell(step, null);
  }

  #failed(failing: Map<string, string>, path: string, step: string, error: KubeError): void {
    const reason = reasonOf(error);
    const isNew = ![...failing.values()].includes(reason);
    if (failing.has(path) || failing.size < MAX_PATHS) failing.set(path, reason);
    if (isNew) this.#options.tell(step, `${path}: ${error.message}`);
  }
}

function reasonOf({ reason, status }: KubeError): string {
  return reason || (status ? String(status) : "Unreachable");
}

/**
 * The object has changed, exists already, or is gone: the next reconciliation resolves it. A download creates an
 * object, so 404 means that its kind is missing.
 */
function isRace(purpose: WritePurpose, { status }: KubeError): boolean {
  return status === 409 || (status === 404 && purpose !== "image");
}
