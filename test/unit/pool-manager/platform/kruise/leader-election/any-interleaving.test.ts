import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Lease, MAX_TERM } from "../../../../../../pool-manager/platform/kruise/leader-election/lease.ts";
import type { Weather } from "../../../../../helpers/servers/lease-api.ts";
import { Manager, Namespace, pass } from "../../../../../helpers/subjects/lease-managers.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The number of runs: the same variable as that of the property test. */
const RUNS = Number(process.env.BERTH_TEST_LEADERSHIPS ?? 60);

/** Numbers below 1, the same for the same seed. */
function luck(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("any interleaving of two or three managers, edits, deletions and outages", () => {
  const weathers: Weather[] = ["fine", "refused", "lost", "unanswered", "forbidden", "throttled", "broken"];
  const spec = fc.record(
    {
      holderIdentity: fc.constantFrom("", "somebody", "m0", "m1"),
      leaseTransitions: fc.constantFrom(0, 1, 3, MAX_TERM + 1, 2_000_000_000),
      leaseDurationSeconds: fc.constantFrom(0, 1, 600),
      renewTime: fc.constantFrom("1970-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"),
    },
    { requiredKeys: [] },
  );
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("weather" as const), who: fc.nat(2), weather: fc.constantFrom(...weathers) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("everybody" as const), weather: fc.constantFrom(...weathers) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("edit" as const), spec }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("kill" as const), who: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("release" as const), who: fc.nat(2) }) },
  );
  const story = fc.array(fc.record({ event, forMs: fc.integer({ min: 0, max: 9000 }) }), { minLength: 1, maxLength: 25 });

  test("never two that are certain; terms rise; when it is over one leads", async () => {
    await fc.assert(
      fc.asyncProperty(story, fc.nat(), async (steps, seed) => {
        const namespace = new Namespace(luck(seed));
        let count = 0;
        const start = () => new Manager(namespace, `m${count++}`, count === 1);
        const managers = [start(), start(), start()];
        const check = () => {
          expect(managers.filter(({ certain }) => certain).length).toBeLessThanOrEqual(1);
          expect(namespace.terms).toEqual([...new Set(namespace.terms)].sort((a, b) => a - b));
        };
        const watch = async (ms: number) => {
          for (let gone = 0; gone < ms; gone += 50) {
            await pass(50);
            check();
            // A pool manager that has ended is started again, as a kubelet does.
            for (const [i, manager] of managers.entries()) if (!manager.isUp) managers[i] = start();
          }
        };
        const happens = {
          weather: ({ who = 0, weather = "fine" }: { who?: number; weather?: Weather }) => {
            (managers[who] as Manager).weather = weather;
          },
          everybody: ({ weather = "fine" }: { weather?: Weather }) => {
            for (const manager of managers) manager.weather = weather;
          },
          delete: () => namespace.server.delete(),
          edit: ({ spec: change }: { spec?: Partial<NonNullable<Lease["spec"]>> }) => namespace.server.edit(change ?? {}),
          kill: ({ who = 0 }: { who?: number }) => (managers[who] as Manager).kill(),
          release: ({ who = 0 }: { who?: number }) => void (managers[who] as Manager).leadership?.release().then(() => (managers[who] as Manager).kill()),
        };
        for (const { event: what, forMs } of steps) {
          (happens[what.kind] as (event: object) => void)(what);
          await watch(forMs);
        }
        happens.everybody({});
        await watch(30_000);
        expect(managers.filter(({ certain }) => certain)).toHaveLength(1);
        for (const manager of managers) manager.kill();
        vi.clearAllTimers();
      }),
      { numRuns: RUNS },
    );
  });
});
