import { afterAll, expect } from "vitest";

/** Others are added once for the process, by libraries. */
const HEARD = ["uncaughtException", "unhandledRejection", "warning", "SIGTERM", "SIGINT"];

/** Files of one worker share its process and modules: a file that leaves a change of the process behind fails, by the name of the change. */
function processState(): Map<string, unknown> {
  const listeners = HEARD.map((event) => [`listeners of ${event}`, process.listenerCount(event)] as const);
  return new Map<string, unknown>([
    ["setTimeout", setTimeout],
    ["setInterval", setInterval],
    ["setImmediate", setImmediate],
    ["Date", Date],
    ["Date.now", Date.now],
    ["performance.now", performance.now],
    ["Math.random", Math.random],
    ["String.prototype.split", String.prototype.split],
    ["fetch", fetch],
    ["the dispatcher of fetch", Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1"))],
    ["the working directory", process.cwd()],
    ...Object.entries(process.env).map(([name, value]) => [`env.${name}`, value] as const),
    ...listeners,
  ]);
}

// It is made by the first use of fetch, or of undici.
void new Response();
const before = processState();

afterAll(() => {
  const after = processState();
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
  expect(changed, "this file leaves changes of the process to the next one: undo them in afterEach or onTestFinished").toEqual([]);
});
