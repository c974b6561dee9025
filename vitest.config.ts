import { defineConfig } from "vitest/config";
import { NODE_TESTS } from "./test/helpers/runner/node-tests.ts";
import { LONG_FILES } from "./test/long/files.ts";

const IN_MEMORY = ["test/unit/**/*.test.ts", "test/simulation/**/*.test.ts"];
const ELSEWHERE = ["test/cluster/**", "test/services/**", "test/browser/**", "test/ecosystem/**", ...LONG_FILES];

export default defineConfig({
  test: {
    ...NODE_TESTS,
    // A worker runs all of its files in one process: half of the time of most of them is that of their imports.
    isolate: false,
    setupFiles: ["test/helpers/runner/left-behind.ts"],
    projects: [
      { extends: true, test: { name: "unit", include: IN_MEMORY, exclude: ELSEWHERE } },
      { extends: true, test: { name: "processes", include: ["test/**/*.test.ts"], exclude: [...IN_MEMORY, ...ELSEWHERE] } },
    ],
  },
});
