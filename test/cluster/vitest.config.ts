import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The tier that needs a cluster: one file after the other, since they share two cores with it. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    // The integration suite of one machine runs here on pods; what is about processes of one machine does not.
    include: ["test/cluster/**/*.test.ts", "test/integration/{invoke,manage,failures,scale,rollout,deploy-loads,paced-rollout,traffic,websocket}.test.ts"],
    env: { BERTH_TEST_PLATFORM: "kruise" },
    globalSetup: ["test/helpers/build.ts"],
    reporters: ["default", "./test/helpers/closing-line.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    pool: "forks",
  },
});
