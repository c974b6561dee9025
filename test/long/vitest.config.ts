import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { NODE_TESTS } from "../helpers/runner/node-tests.ts";
import { ALONE, TOGETHER } from "./files.ts";

/** The tier that needs nothing but Node and more time than `npm test` has. */
export default defineConfig({
  test: {
    ...NODE_TESTS,
    root: resolve(import.meta.dirname, "../.."),
    // Numbers of rounds, by which these files are small where they run one by one.
    env: { BERTH_TEST_REVISIONS: "100", BERTH_TEST_ROLLOUTS: "100", BERTH_TEST_FUNCTIONS: "300", BERTH_TEST_REQUESTS: "6000" },
    projects: [
      { extends: true, test: { name: "alone", include: ALONE, sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: "together", include: TOGETHER, sequence: { groupOrder: 1 } } },
    ],
  },
});
