import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The longest files of `npm test` and of `npm run test:long`, longest first: a file of a minute that starts last leaves one of two workers idle meanwhile. */
export const LONGEST = {
  short: [
    "test/platform-contract/local.test.ts",
    "test/simulation/simulation.test.ts",
    "test/integration/process/manage.test.ts",
    "test/integration/invocations/function-log.test.ts",
    "test/unit/pool-manager/pool/memory/closed-loop.test.ts",
    "test/integration/instances/schedules.test.ts",
    "test/unit/pool-manager/platform/kruise/pods/pod-connection.test.ts",
    "test/integration/deployments/traffic.test.ts",
    "test/unit/pool-manager/api/held-up.test.ts",
    "test/integration/invocations/lambda-api.test.ts",
    "test/unit/bench/replay/replay.test.ts",
  ],
  long: [
    "test/integration/dev/dev.test.ts",
    "test/integration/deployments/rollout.test.ts",
    "test/integration/instances/scale.test.ts",
    "test/integration/deployments/paced-rollout.test.ts",
    "test/simulation/mutants/mutants.test.ts",
    "test/runtime/python.test.ts",
    "test/integration/dev/debuggers.test.ts",
    "test/integration/deployments/python.test.ts",
    "test/integration/deployments/deploy-loads.test.ts",
    "test/integration/process/lifecycle.test.ts",
    "test/unit/pool-manager/stores/files/store-crash.test.ts",
    "test/integration/instances/idle-memory.test.ts",
    "test/runtime/custom.test.ts",
    "test/integration/deployments/settings.test.ts",
    "test/integration/invocations/failures.test.ts",
  ],
};

const ORDER: readonly string[] = [...LONGEST.short, ...LONGEST.long];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = ORDER.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? ORDER.length : at;
    };
    // A process that is shared ends with the first file of another project.
    return [...files].sort((a, b) => a.project.name.localeCompare(b.project.name) || rank(a) - rank(b));
  }
}
