import type { StoreNotice } from "./notices.ts";

/** Reports failing writes once for each change of the reason, and once they succeed. */
export class WriteFailureReport {
  readonly #notice: (notice: StoreNotice) => void;
  readonly #reasons = new Map<string, string>();

  constructor(notice: (notice: StoreNotice) => void) {
    this.#notice = notice;
  }

  /** Reports the outcome of `write`, which `what` describes as failing. Never rejects. */
  async of(kind: StoreNotice["kind"], what: string, write: Promise<unknown>): Promise<void> {
    const reason = await write.then(
      () => "",
      (error: Error) => error.message,
    );
    if (reason === (this.#reasons.get(what) ?? "")) return;
    if (reason) this.#reasons.set(what, reason);
    else this.#reasons.delete(what);
    this.#notice({ topic: "failing", kind, count: this.#reasons.size, message: reason ? `${what}: ${reason}` : `${what}: resolved` });
  }
}
