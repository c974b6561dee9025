/** A function's program that runs, as a child of this process or in the container of its image. */
export interface RunningCommand {
  /** Resolves once it has ended, with how it ended and its last lines. */
  readonly exited: Promise<string>;
  readonly hasEnded: boolean;
  /** Sends SIGTERM, and later SIGKILL. */
  terminate(): void;
  kill(): void;
}
