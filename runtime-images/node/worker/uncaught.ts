/** Events for uncaught errors. Without a listener Node would end the process, and with it other invocations. */
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/** Calls `handle` for each uncaught error, in the context of the invocation that it came from, unless the function has a listener of its own. */
export function onUncaught(handle: (error: unknown) => void): void {
  for (const event of EVENTS) {
    process.on(event, (error: unknown) => {
      if (process.listenerCount(event) === 1) handle(error);
    });
  }
}
