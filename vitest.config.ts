import { defineConfig } from "vitest/config";
import { NODE_TESTS } from "./test/helpers/runner/node-tests.ts";
import { LONG_FILES } from "./test/long/files.ts";

const IN_MEMORY = ["test/unit/**/*.test.ts", "test/simulation/**/*.test.ts"];
const ELSEWHERE = ["test/cluster/**", "test/services/**", "test/browser/**", "test/ecosystem/**", ...LONG_FILES];

export default defineConfig({
  test: {
    ...NODE_TESTS,
    projects: [
      // A worker runs these in one process: half of the time of most of them is that of their imports.
      { extends: true, test: { name: "unit", include: IN_MEMORY, exclude: ELSEWHERE, isolate: false, setupFiles: ["test/helpers/runner/left-behind.ts"] } },
      { extends: true, test: { name: "processes", include: ["test/**/*.test.ts"], exclude: [...IN_MEMORY, ...ELSEWHERE] } },
    ],
  },
});
