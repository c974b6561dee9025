import { startVitest } from "vitest/node";
import { type Outcome, outcomesOf } from "./outcome.ts";

/** Runs the tests of a configuration in this process; `filters` are parts of paths of files. */
export async function runTests(config: string, filters: string[]): Promise<Outcome[]> {
  const vitest = await startVitest("test", filters, { config, watch: false, run: true });
  try {
    return outcomesOf(vitest.state.getTestModules(), vitest.state.getUnhandledErrors());
  } finally {
    await vitest.close();
  }
}
