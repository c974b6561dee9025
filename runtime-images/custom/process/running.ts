/** A function's program that runs, as a child of this process or in the container of its image. */
export interface RunningCommand {
  /** Resolves once it has ended, with how it ended and its last lines. */
  readonly exited: Promise<string>;
  readonly hasEnded: boolean;
  /** The addresses on which it listens, as far as that can be known: `127.0.0.1:5000`. */
  addresses(): string[];
  /** Sends SIGTERM, and later SIGKILL. */
  terminate(): void;
  kill(): void;
}
