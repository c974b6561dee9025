/** What takes longer than a newcomer waits for: many rounds under load, every mutant, and waits in real time. `npm test` leaves these out. */
export const LONG_FILES = [
  "test/simulation/mutants.test.ts",
  "test/unit/store-crash.test.ts",
  "test/integration/{damaged-state,deploy-loads,fate,framing,lifecycle,paced-rollout,rollout,scale}.test.ts",
];
