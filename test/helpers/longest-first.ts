import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Longest first: a file of a minute that starts last leaves one of two workers idle meanwhile. */
const LONGEST = [
  "/rollout",
  "scale",
  "paced-rollout",
  "mutants",
  "deploy-loads",
  "lifecycle",
  "store-crash",
  "manage",
  "settings",
  "failures",
  "continuity",
  "rewriting-webhook",
  "simulation.test",
  "edited-updates",
  "kubelet-faults",
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.includes(name));
      return at < 0 ? LONGEST.length : at;
    };
    return [...files].sort((a, b) => rank(a) - rank(b));
  }
}
