import { killLeftBehind } from "../../../runtime-images/protocol/left-behind.ts";

/** Instances that end within this time share one scan, which reads the environment of every process. */
const TOGETHER_MS = 200;

/** Kills processes that ended instances have left behind. */
export class LeftBehind {
  readonly #uids = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  add(uid: string): void {
    this.#uids.add(uid);
    this.#timer ??= setTimeout(() => this.flush(), TOGETHER_MS);
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#uids.size > 0) killLeftBehind(this.#uids);
    this.#uids.clear();
  }
}
