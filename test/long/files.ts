/** Thousands of requests within a bound: it has the machine for itself. */
export const ALONE = ["test/integration/requests/framing.test.ts"];
/** Many rounds under load, every mutant, and waits in real time. */
export const TOGETHER = [
  "test/runtime/{custom,kept-worker,python}.test.ts",
  "test/simulation/mutants/mutants.test.ts",
  "test/unit/pool-manager/pool/sizing/closed-loop.test.ts",
  "test/unit/pool-manager/stores/files/store-crash.test.ts",
  "test/integration/*/{auto-size,bootstrap,custom,damaged-state,debuggers,deploy-loads,dev,failures,fate,idle-memory,lifecycle,limits,paced-rollout,python,python-versions,real-replay,rollout,scale,settings,superseded-load,websocket,window-scaling}.test.ts",
];
/** Tests that take longer than a newcomer waits: `npm test` leaves them out. */
export const LONG_FILES = [...ALONE, ...TOGETHER];
