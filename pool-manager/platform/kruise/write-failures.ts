import type { WritePurpose } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";

/** Writes in the background, by what they do: they are tried again, and nobody who waits for them tells that they fail. */
const BACKGROUND: Partial<Record<WritePurpose, string>> = {
  heal: "correction of CloneSets",
  image: "download of code images ahead of their use",
};
/** Failing objects of one purpose that are remembered. */
const MAX_PATHS = 1000;

export interface WriteFailuresOptions {
  /** Counts a write that has failed, by the server's reason for it. */
  count(purpose: WritePurpose, reason: string): void;
  /** Told once of what does not work and is tried again, and null when it does. */
  tell(step: string, message: string | null): void;
}

/** Counts the writes that fail, and tells of those in the background: once when one begins to fail or its reason changes, and once when all work again. */
export class WriteFailures {
  readonly #options: WriteFailuresOptions;
  /** Reason by path, of the objects whose last write has failed. */
  readonly #failing = new Map<WritePurpose, Map<string, string>>();

  constructor(options: WriteFailuresOptions) {
    this.#options = options;
  }

  /** A write has ended; null: it was done. */
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

/** The object has changed, is there already, or is gone: the next look settles it. A download is a creation: nothing can be gone but its kind. */
function isRace(purpose: WritePurpose, { status }: KubeError): boolean {
  return status === 409 || (status === 404 && purpose !== "image");
}
