import { defineConfig } from "vitest/config";
import LongestFirst from "./test/helpers/longest-first.ts";
import { LONG_FILES } from "./test/long/files.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/services/**", "test/ecosystem/**", ...LONG_FILES],
    globalSetup: ["test/helpers/build.ts"],
    reporters: ["default", "./test/helpers/closing-line.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two workers: integration tests start processes of their own, and timing must not drown.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    pool: "forks",
  },
});
