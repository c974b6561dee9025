import { defineConfig } from "vitest/config";
import { NODE_TESTS } from "./test/helpers/node-tests.ts";
import { LONG_FILES } from "./test/long/files.ts";

export default defineConfig({
  test: {
    ...NODE_TESTS,
    // A worker runs its files in one process: half of the time of most of them is that of their imports.
    isolate: false,
    setupFiles: ["test/helpers/left-behind.ts"],
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/services/**", "test/ecosystem/**", ...LONG_FILES],
  },
});
