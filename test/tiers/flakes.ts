import { parseArgs } from "node:util";
import { closingLine, isGreen, type Outcome } from "./outcome.ts";
import { runTests } from "./run.ts";

/** `npm run ci:flakes -- [--runs N] [--config FILE] [FILE…]`: runs a tier N times and prints how often each test failed. */
const { values, positionals } = parseArgs({
  options: { runs: { type: "string", default: "5" }, config: { type: "string", default: "vitest.config.ts" } },
  allowPositionals: true,
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) {
  process.stderr.write("usage: npm run ci:flakes -- [--runs N] [--config FILE] [FILE…]\n");
  process.exit(2);
}
const all: Outcome[] = [];
for (let run = 1; run <= runs; run++) {
  all.push(...(await runTests(values.config, positionals)));
  process.stdout.write(`run ${run} of ${runs} has ended\n`);
}
const failed = new Map<string, string[]>();
for (const { file, failures } of all) {
  for (const { test, message } of failures) {
    const name = `${file} > ${test}`;
    failed.set(name, [...(failed.get(name) ?? []), message]);
  }
}
for (const [name, messages] of [...failed].sort(([, a], [, b]) => b.length - a.length)) {
  process.stdout.write(`${messages.length} of ${runs}  ${name}: ${messages[0]}\n`);
}
process.stdout.write(`\n${closingLine(all)}\n`);
process.exitCode = isGreen(all) ? 0 : 1;
