import type { Reporter, TestModule } from "vitest/node";
import { closingLine, outcomesOf } from "../../tiers/outcome.ts";

/** Closes the run with `N passed, N failed`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    process.stdout.write(`\n${closingLine(outcomesOf(modules, errors))}\n`);
  }
}
