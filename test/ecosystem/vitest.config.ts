import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The tier that installs real frameworks and runs small real apps of each. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    include: ["test/ecosystem/**/*.test.ts"],
    globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts", "test/ecosystem/install.ts"],
    reporters: ["default", "./test/helpers/runner/closing-line.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    pool: "forks",
  },
});
