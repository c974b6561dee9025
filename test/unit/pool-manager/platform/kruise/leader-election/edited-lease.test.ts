import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { believable, type Lease, MAX_TERM } from "../../../../../../pool-manager/platform/kruise/leader-election/lease.ts";
import { led, Manager, pass } from "../../../../../helpers/subjects/lease-managers.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
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

  test("does nothing if there is none, if it cannot be read, or if no write was refused", async () => {
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

  test.each(edits)("%s: its leader stays certain all the time, and a standby waits", async (_what, edit) => {
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

  test("another holder: its leader is in doubt until it is sure that there is none, and continues in its term", async () => {
    const { namespace, a } = await led();
    namespace.server.edit({ holderIdentity: "nobody-real" });
    await pass(3000);
    expect([a.certain, a.lost]).toEqual([false, null]);
    await pass(6000);
    expect([a.certain, a.lost, namespace.terms]).toEqual([true, null, [1]]);
  });

  test("another holder that renews it: it is lost to that one, whatever its term", async () => {
    const { namespace, a } = await led();
    for (let i = 0; i < 4; i++) {
      namespace.server.edit({ holderIdentity: "c", leaseTransitions: 1, renewTime: `2026-01-01T00:00:0${i}.000000Z` });
      await pass(1500);
    }
    expect(a.lost).toBe("c holds the Lease berth of namespace ns now, in term 1");
  });

  test("a term above its own: it is lost to its holder", async () => {
    const { namespace, a } = await led();
    namespace.server.edit({ holderIdentity: "c", leaseTransitions: 2 });
    await pass(2500);
    expect([a.lost, a.certain]).toEqual(["c holds the Lease berth of namespace ns now, in term 2", false]);
  });
});

describe("the last term, typed by somebody", () => {
  test("into the Lease: nobody takes it, since no term is above, until somebody lowers it", async () => {
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

  test("or the one before it: one leader leads in it", async () => {
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

  test("while there is a leader, which corrects it: a standby that has seen it leads above that leader's term", async () => {
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

  test("onto an object that the leader writes: it continues, since nobody could follow, and reports that until the term is lowered", async () => {
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
