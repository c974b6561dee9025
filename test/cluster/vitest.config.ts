import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** Integration files that run on pods with each change, and those that do so before a release: what they prove of pods, files of this tier prove too. */
const ALWAYS = ["bad-input", "invoke", "manage", "rollout", "traffic", "websocket"];
const BEFORE_A_RELEASE = ["failures", "scale", "deploy-loads", "paced-rollout"];
const integration = [...ALWAYS, ...(process.env.BERTH_TEST_RELEASE ? BEFORE_A_RELEASE : [])];

/** The tier that needs a cluster: one file after the other, since they share two cores with it. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    // The integration suite of one machine runs here on pods; what is about processes of one machine does not.
    include: ["test/cluster/**/*.test.ts", `test/integration/*/{${integration}}.test.ts`],
    env: { BERTH_TEST_PLATFORM: "kruise" },
    globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts"],
    reporters: ["default", "./test/helpers/runner/closing-line.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    pool: "forks",
  },
});
