import { parseArgs } from "node:util";
import { simulate } from "./simulation.ts";
import { Tally } from "./tally.ts";

/** `npm run sim -- --seeds N [--from S] [--classes]`: many seeds, with two size classes or without; `--seed S` replays one. */
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    classes: { type: "boolean", default: false },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const total = new Tally();
const failed: string[] = [];
let steps = 0;
for (let seed = from; seed < from + count; seed++) {
  const result = await simulate(seed, {}, values.classes);
  steps += result.steps;
  total.merge(result.tally);
  if (result.violation) failed.push(`seed ${seed}: ${result.violation}`);
  if (process.stderr.isTTY && seed % 20 === 0) process.stderr.write(`\r${seed - from + 1}/${count}`);
}
console.log(`${count} seeds, ${steps} steps\n${total.print()}`);
for (const line of failed) console.log(line);
const never = count >= 100 ? total.never() : [];
if (never.length > 0) console.log(`never occurred: ${never.join(", ")}`);
if (failed.length > 0) console.log(`replay one with npm run sim -- --seed N`);
process.exitCode = failed.length > 0 || never.length > 0 ? 1 : 0;
