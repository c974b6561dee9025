import { SingleBar } from "cli-progress";
import type { Progress } from "./scenarios.ts";

/** A progress bar for each scenario on standard error, where that is a terminal. */
export function progressBar(): Progress {
  const bar = process.stderr.isTTY ? new SingleBar({ format: "{scenario} {bar} {value}/{total}", clearOnComplete: true }) : null;
  return (scenario, done, total) => {
    if (bar && done === 1) bar.start(total, 0, { scenario });
    bar?.update(done, { scenario });
    if (bar && done === total) bar.stop();
  };
}
