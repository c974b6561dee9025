import { closingLine, isGreen, type Outcome } from "./outcome.ts";
import { runTests } from "./run.ts";
import { filesToRepeat, flakyIn, joined } from "./second-run.ts";

/**
 * `tsx test/tiers/repeat-failed.ts CONFIG [FILE…]`: a tier whose failed files are run once more, each alone. What passes then does not end
 * the run: the last lines name it as `flaky: NAME`, with its first failure, and it is mended with the next change.
 */
const [config, ...filters] = process.argv.slice(2);
if (!config) {
  process.stderr.write("usage: tsx test/tiers/repeat-failed.ts CONFIG [FILE…]\n");
  process.exit(2);
}
const first = await runTests(config, filters);
const second: Outcome[] = [];
for (const file of filesToRepeat(first)) {
  process.stdout.write(`\n${file} failed, and is run once more, alone\n`);
  second.push(...(await runTests(config, [file])));
}
for (const again of second) {
  const before = first.find(({ file }) => file === again.file);
  for (const { test, message } of before ? flakyIn(before, again) : []) process.stdout.write(`flaky: ${again.file} > ${test}: ${message}\n`);
}
const outcomes = joined(first, second);
if (second.length > 0) process.stdout.write(`\n${closingLine(outcomes)}\n`);
process.exitCode = isGreen(outcomes) ? 0 : 1;
