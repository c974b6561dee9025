import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Names of files, longest first: a file of a minute that starts last leaves one of two workers idle meanwhile. */
const LONGEST = [
  "rollout",
  "scale",
  "paced-rollout",
  "mutants",
  "deploy-loads",
  "lifecycle",
  "store-crash",
  "manage",
  "settings",
  "failures",
  "continuity.property",
  "rewriting-webhook",
  "simulation",
  "edited-updates",
  "kubelet-faults",
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    // A process that is shared ends with the first file of another project.
    return [...files].sort((a, b) => a.project.name.localeCompare(b.project.name) || rank(a) - rank(b));
  }
}
