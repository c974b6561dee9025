/** Thousands of requests within a bound: it has the machine for itself. */
export const ALONE = ["test/integration/requests/framing.test.ts"];
/** Many rounds under load, every mutant, and waits in real time. */
export const TOGETHER = [
  "test/runtime/{custom,kept-worker}.test.ts",
  "test/simulation/mutants/mutants.test.ts",
  "test/unit/pool-manager/stores/files/store-crash.test.ts",
  "test/integration/*/{damaged-state,deploy-loads,dev,failures,fate,lifecycle,paced-rollout,python,custom,rollout,scale,settings}.test.ts",
];
/** What takes longer than a newcomer waits for: `npm test` leaves these out. */
export const LONG_FILES = [...ALONE, ...TOGETHER];
