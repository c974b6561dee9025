import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import { led, Manager, Namespace, pass } from "../../../../../helpers/subjects/lease-managers.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a Lease that is missing", () => {
  test("is created at once by the namespace's first pool manager, and by another one after a Lease's time", async () => {
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

  test("is created again by its leader in its term, as often as it is deleted, without another effect", async () => {
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

  test("is not taken by a leader in doubt if any object carries a later term", async () => {
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

describe("a standby", () => {
  test("takes over from a dead leader after the Lease's time, and at once from one that releases it", async () => {
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

  test("does not take a recreated Lease for the one without a holder that it has watched: somebody led with it in between", async () => {
    const namespace = new Namespace();
    const [b, c] = [new Manager(namespace, "b"), new Manager(namespace, "c")];
    while (!b.leadership && !c.leadership) await pass(1);
    namespace.server.delete();
    await pass(20_000);
    expect([namespace.terms, [b, c].filter(({ certain }) => certain).length]).toEqual([[1], 1]);
  });

  test("survives brief refusals, and ends if they persist", async () => {
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

  test("takes the Lease again in a later term if the answer to its first take was lost", async () => {
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
