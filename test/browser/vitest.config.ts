import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The tier that opens the dashboard in a real Chromium: one file after the other. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    include: ["test/browser/**/*.test.ts"],
    globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts"],
    reporters: ["default", "./test/helpers/runner/closing-line.ts"],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    fileParallelism: false,
    pool: "forks",
  },
});
