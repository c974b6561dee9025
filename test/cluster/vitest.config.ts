import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/**
 * The integration suite of one machine runs here on pods; what is about processes of one machine does not. Some files run with each change, others
 * before a release: what those prove of pods, files of this tier prove too.
 */
const ALWAYS = ["bad-input", "invoke", "manage", "traffic", "websocket", "window-scaling"];
const ALWAYS_ALONE = ["rollout"];
const BEFORE_A_RELEASE = ["failures", "scale", "deploy-loads", "paced-rollout"];
/** Paths of integration files; braces around a single name would be part of the name. */
const integration = (names: string[]) => names.map((name) => `test/integration/*/${name}.test.ts`);
const alone = [...ALWAYS_ALONE, ...(process.env.BERTH_TEST_RELEASE ? BEFORE_A_RELEASE : [])];

/** Files that use nothing but a namespace of their own. Mostly they wait, for pods and for Kruise, so that three run at a time on two cores. */
const TOGETHER = [
  "test/cluster/api/*.test.ts",
  "test/cluster/faults/{ended-pods,obstacles,quota,unreachable}.test.ts",
  "test/cluster/leadership/{continuity,leadership,lease}.test.ts",
  "test/cluster/runtimes/*.test.ts",
  "test/cluster/pods/{claims,contract,edited-sets,images,limits,protection,removal,rollouts,swap,trust}.test.ts",
  ...integration(ALWAYS),
];

/** The tier that needs a cluster. Files that stop its parts, cordon nodes, change what is there once in a cluster, or have bounds of time run one by one. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, "../.."),
    env: { BERTH_TEST_PLATFORM: "kruise" },
    globalSetup: ["test/helpers/runner/temporary-folder.ts", "test/helpers/runner/build.ts"],
    reporters: ["default", "./test/helpers/runner/closing-line.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    projects: [
      { extends: true, test: { name: "together", include: TOGETHER, maxWorkers: 3, sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: {
          name: "alone",
          include: ["test/cluster/**/*.test.ts", ...integration(alone)],
          exclude: TOGETHER,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
