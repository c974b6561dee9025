import type { ToWorker } from "../../protocol/worker.ts";
import { followCalls } from "../invocation/call-events.ts";
import { captureOutput } from "../invocation/output.ts";
import { guardResponses } from "../invocation/response.ts";
import { takeChannel } from "./channel.ts";
import type { Language } from "./language.ts";
import { onUncaught } from "./uncaught.ts";
import { Worker } from "./worker.ts";

/** Runs the worker of a language in this process. */
export function serve(language: Language): void {
  const report = takeChannel();
  captureOutput();
  guardResponses();
  followCalls();
  process.on("disconnect", () => process.exit(0));
  const worker = new Worker(language, report);
  onUncaught((error) => worker.uncaught(error));
  process.on("message", (message: ToWorker) => {
    if (message.type === "load") void worker.load(message);
    else worker[message.type]();
  });
  worker.listen(process.env.BERTH_HOST ?? "127.0.0.1");
}
