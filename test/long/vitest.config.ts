import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import LongestFirst from "../helpers/longest-first.ts";
import { ALONE, TOGETHER } from "./files.ts";

/** The tier that needs nothing but Node and more time than `npm test` has. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    // Numbers of rounds, by which these files are small where they run one by one.
    env: { BERTH_TEST_REVISIONS: "100", BERTH_TEST_ROLLOUTS: "100", BERTH_TEST_FUNCTIONS: "300", BERTH_TEST_REQUESTS: "6000" },
    globalSetup: ["test/helpers/build.ts"],
    reporters: ["default", "./test/helpers/closing-line.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    pool: "forks",
    projects: [
      { extends: true, test: { name: "alone", include: ALONE, sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: "together", include: TOGETHER, sequence: { groupOrder: 1 } } },
    ],
  },
});
