import type { KubeClient } from "../client.ts";
import type { KubeError } from "../error.ts";
import { type Selection, selectorQuery } from "./listing.ts";

/** One that has not been ended by the server by then, after the time that it was given, is dead. */
const GRACE_SECONDS = 5;
/** A watch that ends sooner, with nothing heard, is opened again after a pause. */
const SHORT_WATCH_MS = 1000;
/** A watch that is refused, or not answered, has ended by then. */
const STEADY_MS = 6000;

export interface WatchOptions {
  kube: Pick<KubeClient, "stream">;
  selection: Selection;
  /** Changes after this version are told. */
  version: string;
  /** The server ends the watch after this. */
  seconds: number;
  onLine(line: string): void;
  /** It has gone on for longer than one that fails. */
  onSteady(): void;
  /** `isShort`: it ended at once, and nothing was heard. */
  onEnd(error: KubeError | null, isShort: boolean): void;
}

/** One watch, from its request to its end. It ends itself if it is silent for longer than a server would leave it open. */
export class Watch {
  readonly #seconds: number;
  readonly #steady: NodeJS.Timeout;
  #silence: NodeJS.Timeout | null = null;
  #end: () => void = () => {};

  constructor({ kube, selection, version, seconds, onLine, onSteady, onEnd }: WatchOptions) {
    this.#seconds = seconds;
    const since = performance.now();
    let heard = false;
    const query = {
      ...selectorQuery(selection),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: version,
      timeoutSeconds: String(seconds),
    };
    this.#heard();
    this.#steady = setTimeout(onSteady, STEADY_MS);
    this.#end = kube.stream(
      selection.path,
      query,
      (line) => {
        heard = true;
        this.#heard();
        onLine(line);
      },
      (error) => {
        this.#clearTimers();
        this.#end = () => {};
        onEnd(error, !heard && performance.now() - since < SHORT_WATCH_MS);
      },
    );
  }

  /** `onEnd` follows. */
  end(): void {
    this.#end();
  }

  /** Ends it, and all that it waits for. */
  close(): void {
    this.#clearTimers();
    this.#end();
  }

  /** A connection that was cut without a word looks like one on which nothing happens. */
  #heard(): void {
    if (this.#silence) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(), (this.#seconds + GRACE_SECONDS) * 1000);
  }

  #clearTimers(): void {
    for (const timer of [this.#silence, this.#steady]) if (timer) clearTimeout(timer);
  }
}
