/** Errors that reach nobody else: Node would end the process for them, and with it the invocations of others. */
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/** Calls `take` for each error that no code has caught, in the context of the invocation that it came from. A function that listens itself has taken that over. */
export function onUncaught(take: (error: unknown) => void): void {
  for (const event of EVENTS) {
    process.on(event, (error: unknown) => {
      if (process.listenerCount(event) === 1) take(error);
    });
  }
}
