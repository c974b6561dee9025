import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import { LeaderElection } from "../../../../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { believable, type Lease, MAX_TERM } from "../../../../../../pool-manager/platform/kruise/leader-election/lease.ts";
import { LeaseServer, type Weather } from "../../../../../helpers/servers/lease-api.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Of the property test. */
const RUNS = Number(process.env.BERTH_TEST_LEADERSHIPS ?? 60);

/** Numbers below 1, the same for the same seed. */
function luck(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** One pool manager as far as the Lease concerns it, and what it was told. */
class Manager {
  weather: Weather = "fine";
  leadership: LeaderElection | null = null;
  failure: Error | null = null;
  lost: string | null = null;
  troubles: (string | null)[] = [];
  leaders: (string | null)[] = [];
  isDead = false;
  readonly #stop = new AbortController();

  constructor(namespace: Namespace, name: string, isFirst = false) {
    const made = performance.now();
    const kube = namespace.server.client(() => (this.isDead ? "lost" : this.weather));
    const options = {
      kube,
      holder: name,
      url: `http://${name}`,
      highestTerm: async () => {
        if (this.weather !== "fine") throw new Error("no answer");
        return namespace.carried;
      },
      isFirst: () => isFirst && performance.now() - made < 3000,
      onLeader: (holder: string | null) => this.leaders.push(holder),
      onTrouble: (message: string | null) => this.troubles.push(message),
      onLost: (message: string) => {
        this.lost = message;
      },
      stop: this.#stop.signal,
    };
    LeaderElection.acquire(options).then(
      (leadership) => {
        if (this.isDead) return;
        this.leadership = leadership;
        namespace.leads(leadership.term);
      },
      (error: Error) => {
        this.failure = error;
      },
    );
  }

  get certain(): boolean {
    return !this.isDead && (this.leadership?.certain() ?? false);
  }

  /** Waits or leads, and may still. */
  get isUp(): boolean {
    return !this.isDead && this.failure === null && this.lost === null;
  }

  kill(): void {
    this.isDead = true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const released = this.leadership?.release();
    await pass(15_000);
    await released;
    this.isDead = true;
  }
}

class Namespace {
  readonly server: LeaseServer;
  /** The highest term that any resource carries: a leader writes it first. */
  carried = 0;
  readonly terms: number[] = [];

  constructor(random?: () => number) {
    this.server = new LeaseServer(random);
  }

  leads(term: number): void {
    this.terms.push(term);
    this.carried = Math.max(this.carried, term);
  }
}

/** A namespace whose Lease `a` holds. */
async function led(): Promise<{ namespace: Namespace; a: Manager }> {
  const namespace = new Namespace();
  const a = new Manager(namespace, "a", true);
  await pass(1000);
  expect(a.leadership?.term).toBe(1);
  return { namespace, a };
}

describe("a Lease that is missing", () => {
  test("is made at once by the namespace's first pool manager, and by another one after its time", async () => {
    const fresh = new Namespace();
    const first = new Manager(fresh, "a", true);
    await pass(500);
    expect([first.certain, fresh.terms]).toEqual([true, [1]]);

    const known = new Namespace();
    known.carried = 5;
    const later = new Manager(known, "b");
    await pass(5500);
    expect(later.leadership).toBeNull();
    await pass(1500);
    expect([later.certain, known.terms]).toEqual([true, [6]]);
  });

  test("is made anew by its leader in its term, as often as it is deleted, and nobody notices", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    for (let i = 0; i < 5; i++) {
      await pass(3000);
      namespace.server.delete();
      for (let step = 0; step < 20; step++) {
        await pass(100);
        expect(a.certain).toBe(true);
      }
      expect(namespace.server.lease?.spec).toMatchObject({ holderIdentity: "a", leaseTransitions: 1 });
    }
    expect([a.lost, b.leadership, a.troubles, namespace.terms]).toEqual([null, null, [], [1]]);
  });

  test("is not taken by a leader in doubt before everybody else may take it", async () => {
    const { namespace, a } = await led();
    a.weather = "lost";
    await pass(20_000);
    namespace.server.delete();
    a.weather = "fine";
    await pass(5000);
    expect(namespace.server.lease?.spec?.holderIdentity).toBeUndefined();
    await pass(5000);
    expect([a.certain, namespace.server.lease?.spec?.leaseTransitions]).toEqual([true, 1]);
    expect(a.troubles.at(0)).toContain("nothing is written until it has been renewed");
    expect(a.troubles.at(-1)).toBeNull();
  });

  test("is not taken by a leader in doubt where something carries a later term", async () => {
    const { namespace, a } = await led();
    a.weather = "lost";
    await pass(20_000);
    namespace.server.delete();
    namespace.carried = 4;
    a.weather = "fine";
    await pass(12_000);
    expect([a.lost, a.certain]).toEqual([
      expect.stringMatching(/^something of namespace ns carries a later term than 1: another pool manager has led after this one/),
      false,
    ]);
  });
});

// I6
describe("a term that somebody has raised by hand on something that the leader writes", () => {
  test("ends the leadership when a write is refused for it, and the next one is above it at once", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    namespace.carried = 50;
    await pass(10_000);
    expect([a.certain, a.lost]).toEqual([true, null]);
    a.leadership?.challenge();
    await pass(3000);
    expect([a.certain, a.lost]).toEqual([false, expect.stringContaining("or somebody has edited it")]);
    expect([b.certain, namespace.terms]).toEqual([true, [1, 51]]);
  });

  test("does nothing where there is none, cannot be read, or nobody has been refused", async () => {
    const { namespace, a } = await led();
    a.leadership?.challenge();
    await pass(5000);
    a.weather = "lost";
    namespace.carried = 50;
    a.leadership?.challenge();
    await pass(3000);
    a.weather = "fine";
    await pass(20_000);
    expect([a.certain, a.lost]).toEqual([true, null]);
  });
});

describe("a Lease that somebody has edited", () => {
  const edits: [string, Partial<NonNullable<Lease["spec"]>>][] = [
    ["lower term", { leaseTransitions: 0 }],
    ["no term", { leaseTransitions: undefined as never }],
    ["higher term", { leaseTransitions: 40 }],
    ["impossible term", { leaseTransitions: 2_147_483_647 }],
    ["no holder", { holderIdentity: "" }],
    ["no holder and no term", { holderIdentity: undefined as never, leaseTransitions: undefined as never }],
    ["no duration", { leaseDurationSeconds: undefined as never }],
    ["a duration of a second", { leaseDurationSeconds: 1 }],
    ["a duration of a day", { leaseDurationSeconds: 86_400 }],
    ["a renewal of long ago", { renewTime: "1970-01-01T00:00:00.000000Z" }],
  ];

  test.each(edits)("%s: its leader goes on, certain all the time, and a standby waits", async (_what, edit) => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    namespace.server.edit(edit);
    for (let step = 0; step < 80; step++) {
      await pass(100);
      expect([a.certain, b.leadership]).toEqual([true, null]);
    }
    expect(namespace.server.lease?.spec).toMatchObject({ holderIdentity: "a", leaseTransitions: 1, leaseDurationSeconds: 6 });
    expect([a.lost, namespace.terms]).toEqual([null, [1]]);
  });

  test.each(edits)("%s: after its leader is gone the next one has a later term than any", async (_what, edit) => {
    const { namespace, a } = await led();
    a.kill();
    namespace.server.edit(edit);
    const b = new Manager(namespace, "b");
    await pass(8000);
    expect([b.certain, (b.leadership?.term ?? 0) > 1]).toEqual([true, true]);
  });

  test("another holder: its leader is in doubt until it is sure that there is none, and goes on in its term", async () => {
    const { namespace, a } = await led();
    namespace.server.edit({ holderIdentity: "nobody-real" });
    await pass(3000);
    expect([a.certain, a.lost]).toEqual([false, null]);
    await pass(6000);
    expect([a.certain, a.lost, namespace.terms]).toEqual([true, null, [1]]);
  });

  test("another holder that renews it: lost to that one, whatever its term", async () => {
    const { namespace, a } = await led();
    for (let i = 0; i < 4; i++) {
      namespace.server.edit({ holderIdentity: "c", leaseTransitions: 1, renewTime: `2026-01-01T00:00:0${i}.000000Z` });
      await pass(1500);
    }
    expect(a.lost).toBe("c holds the Lease berth of namespace ns now, in term 1");
  });

  test("a term above its own: lost to whoever holds it", async () => {
    const { namespace, a } = await led();
    namespace.server.edit({ holderIdentity: "c", leaseTransitions: 2 });
    await pass(2500);
    expect([a.lost, a.certain]).toEqual(["c holds the Lease berth of namespace ns now, in term 2", false]);
  });
});

describe("the last term, typed by somebody", () => {
  test("into the Lease: nobody takes it, since no term is above, until somebody takes it back", async () => {
    const { namespace, a } = await led();
    a.kill();
    namespace.server.edit({ leaseTransitions: MAX_TERM });
    const b = new Manager(namespace, "b");
    await pass(60_000);
    expect([b.leadership, b.isUp, b.troubles]).toEqual([null, true, [expect.stringMatching(/^the Lease berth of namespace ns carries the last term/)]]);
    namespace.server.edit({ leaseTransitions: 7 });
    await pass(20_000);
    expect([b.certain, b.troubles.at(-1), namespace.terms]).toEqual([true, null, [1, 8]]);
  });

  test("or the one before it: it is led in once", async () => {
    const { namespace, a } = await led();
    a.kill();
    namespace.server.edit({ leaseTransitions: MAX_TERM - 1 });
    const b = new Manager(namespace, "b");
    await pass(10_000);
    expect(b.leadership?.term).toBe(MAX_TERM);
    b.kill();
    const c = new Manager(namespace, "c");
    await pass(60_000);
    expect([c.leadership, namespace.terms]).toEqual([null, [1, MAX_TERM]]);
  });

  test("while there is a leader, which puts it right: a standby that has seen it leads above that one's term", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    for (let i = 0; i < 10; i++) {
      namespace.server.edit({ leaseTransitions: MAX_TERM });
      await pass(700);
    }
    await pass(3000);
    a.kill();
    await pass(10_000);
    expect([b.leadership?.term, namespace.terms]).toEqual([2, [1, 2]]);
  });

  test("onto something that the leader writes: it goes on, since nobody could follow, and says so until that is taken back", async () => {
    const { namespace, a } = await led();
    namespace.carried = MAX_TERM;
    a.leadership?.challenge();
    await pass(100_000);
    expect([a.certain, a.lost, a.troubles]).toEqual([true, null, [expect.stringContaining("set it back to 1")]]);
    namespace.carried = 1;
    await pass(40_000);
    expect([a.certain, a.troubles.at(-1)]).toEqual([true, null]);
  });
});

// The admission policy compares what is one to nine digits: each of these, and nothing else, may fence a leader off.
test.each<[unknown, number]>([
  ["7", 7],
  ["007", 7],
  ["999999999", MAX_TERM],
  [7, 7],
  ["1000000000", 0],
  [1_000_000_000, 0],
  ["1e9", 0],
  ["1e3", 0],
  ["0x10", 0],
  [" 7", 0],
  ["7\n", 0],
  ["-1", 0],
  [-1, 0],
  ["1.0", 0],
  [1.5, 0],
  ["٣", 0],
  ["", 0],
  ["NaN", 0],
  [Number.NaN, 0],
  ["9007199254740993", 0],
  [true, 0],
  [[5], 0],
  [null, 0],
  [undefined, 0],
])("a term of %j is believed as %j", (typed, term) => {
  expect(believable(typed)).toBe(term);
});

describe("a standby", () => {
  test("takes over from one that is gone after the Lease's time, and at once from one that lets go", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    const released = a.stop();
    await pass(600);
    expect([b.certain, b.leadership?.term]).toEqual([true, 2]);
    await released;
    b.kill();
    const c = new Manager(namespace, "c");
    await pass(5500);
    expect(c.leadership).toBeNull();
    await pass(1500);
    expect(c.leadership?.term).toBe(3);
  });

  test("lets the leader renew first after an outage, however long that was", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    for (const [ms, weather] of [
      [9000, "lost"],
      [12_000, "refused"],
      [30_000, "lost"],
      [20_000, "broken"],
      [15_000, "throttled"],
    ] as const) {
      await pass(3000);
      a.weather = weather;
      b.weather = weather;
      await pass(ms);
      b.weather = "fine";
      // The leader's connection comes back later than the standby's.
      await pass(3000);
      a.weather = "fine";
      await pass(4000);
      expect([weather, a.certain, b.leadership]).toEqual([weather, true, null]);
    }
    expect(namespace.terms).toEqual([1]);
  });

  test("does not take a Lease made anew for the one without a holder that it has watched: somebody led by that in between", async () => {
    const namespace = new Namespace();
    const [b, c] = [new Manager(namespace, "b"), new Manager(namespace, "c")];
    while (!b.leadership && !c.leadership) await pass(1);
    namespace.server.delete();
    await pass(20_000);
    expect([namespace.terms, [b, c].filter(({ certain }) => certain).length]).toEqual([[1], 1]);
  });

  test("goes on through refusals of a moment, and ends where they are meant", async () => {
    const { namespace } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    b.weather = "forbidden";
    await pass(6000);
    expect(b.troubles).toEqual(["status 403"]);
    b.weather = "fine";
    await pass(1000);
    expect([b.failure, b.troubles]).toEqual([null, ["status 403", null]]);
    b.weather = "forbidden";
    await pass(12_000);
    expect((b.failure as KubeError).status).toBe(403);
  });

  test("waits through throttling and errors of the API server without an end", async () => {
    const { namespace } = await led();
    const b = new Manager(namespace, "b");
    for (const weather of ["throttled", "broken", "lost"] as const) {
      b.weather = weather;
      await pass(120_000);
      expect(b.isUp).toBe(true);
    }
    expect(b.troubles).toHaveLength(1);
  });

  test("that is told to stop never leads", async () => {
    const { namespace, a } = await led();
    const b = new Manager(namespace, "b");
    await pass(1000);
    await b.stop();
    a.kill();
    await pass(20_000);
    expect([b.leadership, namespace.server.lease?.spec?.holderIdentity]).toEqual([null, "a"]);
  });

  test("takes the Lease again in a later term where the answer to its first take was lost", async () => {
    const { namespace, a } = await led();
    a.kill();
    const b = new Manager(namespace, "b");
    await pass(5800);
    b.weather = "unanswered";
    await pass(5000);
    b.weather = "fine";
    await pass(12_000);
    expect([b.certain, (b.leadership?.term ?? 0) > 1]).toEqual([true, true]);
  });
});

describe("a leader that lets go", () => {
  test("frees the Lease though somebody has edited it", async () => {
    const { namespace, a } = await led();
    namespace.server.edit({ leaseDurationSeconds: 3 });
    await a.stop();
    expect(namespace.server.isReleased).toBe(true);
  });

  test("frees it though a renewal is on its way, at whatever moment, and sends nothing afterwards", async () => {
    for (let at = 1000; at < 1500; at += 10) {
      const namespace = new Namespace();
      const a = new Manager(namespace, "a", true);
      await pass(at);
      let sent = 0;
      void a.leadership?.release().then(() => {
        sent = namespace.server.requests;
      });
      await pass(3000);
      expect([namespace.server.isReleased, namespace.server.requests]).toEqual([true, sent]);
      a.kill();
    }
  });

  test("ends within seconds where the API server does not answer", async () => {
    const { a } = await led();
    a.weather = "lost";
    let ended = false;
    void a.leadership?.release().then(() => {
      ended = true;
    });
    await pass(5000);
    expect(ended).toBe(true);
  });
});

test("a machine that has slept is in doubt when it wakes, though its monotonic clock stood still", async () => {
  const { a } = await led();
  expect(a.certain).toBe(true);
  vi.setSystemTime(Date.now() + 60_000);
  expect(a.certain).toBe(false);
  await pass(1500);
  expect(a.certain).toBe(true);
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(a.certain).toBe(true);
});

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
            // What has ended is started again, as a kubelet does it.
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
