import type { StoreNotice } from "./notices.ts";

/** Writes that fail: told once for each change of the reason, and when they succeed again. */
export class WriteFailureReport {
  readonly #notice: (notice: StoreNotice) => void;
  readonly #reasons = new Map<string, string>();

  constructor(notice: (notice: StoreNotice) => void) {
    this.#notice = notice;
  }

  async of(kind: StoreNotice["kind"], what: string, write: Promise<unknown>): Promise<void> {
    const reason = await write.then(
      () => "",
      (error: Error) => error.message,
    );
    if (reason === (this.#reasons.get(what) ?? "")) return;
    if (reason) this.#reasons.set(what, reason);
    else this.#reasons.delete(what);
    this.#notice({ topic: "failing", kind, count: this.#reasons.size, message: reason ? `${what}: ${reason}` : `${what}: no longer so` });
  }
}
