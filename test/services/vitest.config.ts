import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The tier that needs a Redis server. Its files mostly wait for what is to be noticed, so that two run at a time. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    include: ["test/services/**/*.test.ts"],
    globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts"],
    reporters: ["default", "./test/helpers/runner/closing-line.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
    pool: "forks",
  },
});
