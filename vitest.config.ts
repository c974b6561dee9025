import { defineConfig } from "vitest/config";
import { NODE_TESTS } from "./test/helpers/node-tests.ts";
import { LONG_FILES } from "./test/long/files.ts";

export default defineConfig({
  test: {
    ...NODE_TESTS,
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/services/**", "test/ecosystem/**", ...LONG_FILES],
  },
});
