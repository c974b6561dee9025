import LongestFirst from "./longest-first.ts";

/** A sequencer that is named here would take precedence. */
const isShuffled = process.argv.some((argument) => argument.startsWith("--sequence.shuffle"));

/** How tests run that need nothing but Node, in `npm test` and in the tier of long ones. */
export const NODE_TESTS = {
  globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts"],
  reporters: ["default", "./test/helpers/runner/closing-line.ts"],
  testTimeout: 30_000,
  hookTimeout: 30_000,
  // Two workers: integration tests start processes of their own, and timing must not drown.
  maxWorkers: 2,
  sequence: isShuffled ? {} : { sequencer: LongestFirst },
  pool: "forks" as const,
};
