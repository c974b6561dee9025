import { describe, expect, test } from "vitest";
import { digestOf } from "../../pool-manager/images/oci.ts";
import type { Instance, OpenOrder, Platform, PoolScale, PreparedCode } from "../../pool-manager/platform/platform.ts";
import { until } from "../helpers/berth.ts";

/** A request for this many instances in addition to these. */
const besides = (seen: readonly string[], more: number): PoolScale => ({ seen: new Set(seen), more });

export interface Subject {
  platform: Platform;
  /** Bytes that load as a function. */
  code: Uint8Array;
  /** The same as it is deployed; only where a bind needs its code. */
  prepared?: PreparedCode;
  /** Has the instance's process end by itself. */
  kill(instance: Instance): void;
  /** Has a function in the instance write a line; only where output exists. */
  print?(instance: Instance): Promise<void>;
}

/** The contract of every platform: adapters do not differ in anything that the reconciler can see. */
export function platformContract(name: string, start: () => Promise<Subject>): void {
  const pool = { name: "node", runtime: "node", max: 3 };

  async function withPool<T>(replicas: number, body: (subject: Subject, prewarmed: () => Instance[]) => Promise<T>): Promise<T> {
    const subject = await start();
    try {
      await subject.platform.start();
      for (const functionUid of ["f1", "f2"]) if (subject.prepared) subject.platform.prepareCode([{ ...subject.prepared, functionUid }]);
      await subject.platform.scalePool(pool, besides([], replicas));
      const prewarmed = () => [...subject.platform.observe().instances.values()].filter((i) => i.echo?.state === "prewarmed");
      await until(() => prewarmed().length === replicas, `${replicas} instances are prewarmed`);
      return await body(subject, prewarmed);
    } finally {
      await subject.platform.close();
    }
  }

  const first = (instances: Instance[]) => instances[0] as Instance;
  const now = ({ platform }: Subject, uid: string) => platform.observe().instances.get(uid) as Instance;

  function orderFor(code: Uint8Array, { uid, echo }: Instance, change: Partial<OpenOrder> = {}): OpenOrder {
    return {
      uid,
      bootId: echo?.bootId ?? "",
      epoch: echo?.epoch ?? 0,
      functionUid: "f1",
      functionName: "f",
      revision: "r1",
      digest: digestOf(code),
      term: 1,
      loadTimeoutMs: 5000,
      settings: { entry: "index.mjs", handler: null, signature: null, concurrency: 2, timeoutMs: 1000 },
      env: {},
      ...change,
    };
  }

  describe(`platform contract: ${name}`, () => {
    test("is synced only after start, and then observes nothing it has not created", async () => {
      const { platform } = await start();
      expect(platform.observe().synced).toBe(false);
      await platform.start();
      expect(platform.observe()).toMatchObject({ synced: true });
      expect(platform.observe().instances.size).toBe(0);
      await platform.close();
    });

    test("creates what a pool is short of, tells it, and creates nothing the second time", () =>
      withPool(2, async (subject, prewarmed) => {
        expect(prewarmed().every((i) => i.pool === "node" && i.binding === null && i.readyAt !== null && i.echo?.epoch === 0)).toBe(true);
        await subject.platform.scalePool(pool, besides([], 2));
        expect(subject.platform.observe().instances.size).toBe(2);
      }));

    // I19
    test("never has more instances than the pool's max, bound ones counted", () =>
      withPool(2, async ({ platform }, prewarmed) => {
        const { uid, resourceVersion } = first(prewarmed());
        await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
        await platform.scalePool(pool, besides([uid], 9));
        expect(platform.observe().instances.size).toBe(3);
      }));

    test.each([
      ["before it is asked to go", 0],
      ["after it was asked to go", 1],
    ] as const)("one that is on its way out is replaced by one, and not by two: scaled %s", (_when, first) =>
      withPool(1, async ({ platform }, prewarmed) => {
        const { uid, resourceVersion } = prewarmed()[0] as Instance;
        const seen = new Set<string>();
        const stop = platform.watch((changed) => seen.add(changed));
        const steps = [() => platform.scalePool(pool, besides([uid], 1)), () => platform.remove({ uid, resourceVersion })];
        if (first === 1) steps.reverse();
        await Promise.all(steps.map((step) => step()));
        await until(() => !platform.observe().instances.has(uid) && prewarmed().length === 1, "one has taken its place");
        stop();
        expect(seen.size - 1).toBe(1);
      }),
    );

    test("never deletes by being scaled down", () =>
      withPool(2, async ({ platform }) => {
        await platform.scalePool(pool, besides([], 0));
        expect(platform.observe().instances.size).toBe(2);
      }));

    test("a load order is accepted once: epoch, function and port are echoed, then that it has loaded", () =>
      withPool(1, async (subject, prewarmed) => {
        const instance = first(prewarmed());
        const seen: string[] = [];
        subject.platform.watch((uid) => seen.push(uid));
        const answer = await subject.platform.load(orderFor(subject.code, instance), subject.code);
        expect(answer).toMatchObject({ accepted: true, echo: { epoch: 1, functionUid: "f1", revision: "r1", state: "specializing" } });
        expect(answer.echo.port).toBeGreaterThan(0);
        await until(() => now(subject, instance.uid).echo?.loaded === true, "it has loaded");
        expect(now(subject, instance.uid).echo).toMatchObject({ state: "warm", epoch: 1, port: answer.echo.port });
        expect(seen).toContain(instance.uid);
      }));

    // I5
    test("of two orders for one epoch exactly one is accepted", () =>
      withPool(1, async (subject, prewarmed) => {
        const instance = first(prewarmed());
        const answers = await Promise.all([
          subject.platform.load(orderFor(subject.code, instance), subject.code),
          subject.platform.load(orderFor(subject.code, instance, { functionUid: "f2" }), subject.code),
        ]);
        expect(answers.filter((answer) => answer.accepted)).toHaveLength(1);
      }));

    test.each([
      ["another boot", { bootId: "other" }, "boot"],
      ["another epoch", { epoch: 7 }, "epoch"],
    ] as const)("an order for %s is refused and changes nothing", (_what, change, refusal) =>
      withPool(1, async (subject, prewarmed) => {
        const answer = await subject.platform.load(orderFor(subject.code, first(prewarmed()), change), subject.code);
        expect(answer).toMatchObject({ accepted: false, refusal, echo: { epoch: 0, state: "prewarmed" } });
      }),
    );

    // I1, I6
    test("an instance never serves a second function, and takes a new revision of its own in place", () =>
      withPool(1, async (subject, prewarmed) => {
        const { uid } = first(prewarmed());
        await subject.platform.load(orderFor(subject.code, first(prewarmed())), subject.code);
        await until(() => now(subject, uid).echo?.state === "warm", "it is warm");
        const port = now(subject, uid).echo?.port;
        const other = await subject.platform.load(orderFor(subject.code, now(subject, uid), { functionUid: "f2" }), subject.code);
        expect(other).toMatchObject({ accepted: false, refusal: "function" });
        const lower = await subject.platform.load(orderFor(subject.code, now(subject, uid), { term: 0 }), subject.code);
        expect(lower).toMatchObject({ accepted: false, refusal: "term" });
        const next = await subject.platform.load(orderFor(subject.code, now(subject, uid), { revision: "r2" }), subject.code);
        expect(next).toMatchObject({ accepted: true, echo: { epoch: 2, revision: "r2" } });
        await until(() => now(subject, uid).echo?.state === "warm", "it is warm again");
        expect(now(subject, uid).echo).toMatchObject({ revision: "r2", loaded: true });
        expect(now(subject, uid).echo?.port).not.toBe(port);
      }));

    test("a newer revision is ordered while another one is still loading", () =>
      withPool(1, async (subject, prewarmed) => {
        const { uid } = first(prewarmed());
        const { echo } = await subject.platform.load(orderFor(subject.code, first(prewarmed())), subject.code);
        const next = await subject.platform.load(orderFor(subject.code, { ...now(subject, uid), echo }, { revision: "r2" }), subject.code);
        expect(next).toMatchObject({ accepted: true, echo: { epoch: 2, revision: "r2", state: "specializing" } });
        await until(() => now(subject, uid).echo?.state === "warm", "it is warm");
        expect(now(subject, uid).echo).toMatchObject({ revision: "r2", epoch: 2, error: null });
      }));

    test("bind records the function, and refuses a version that has moved on", () =>
      withPool(1, async (subject, prewarmed) => {
        const { uid, resourceVersion } = first(prewarmed());
        await subject.platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
        expect(now(subject, uid).binding).toEqual({ functionUid: "f1", revision: "r1" });
        await expect(subject.platform.bind({ uid, resourceVersion }, { functionUid: "f2", revision: "r1" })).rejects.toMatchObject({ code: "CONFLICT" });
        await expect(subject.platform.bind({ uid: "nobody", resourceVersion }, { functionUid: "f2", revision: "r1" })).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
        expect(now(subject, uid).binding?.functionUid).toBe("f1");
      }));

    test("an instance that is bound after the decision is not made up for: that was decided without it", () =>
      withPool(1, async ({ platform }, prewarmed) => {
        const { uid, resourceVersion } = first(prewarmed());
        const decided = besides([uid], 1);
        await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
        await platform.scalePool(pool, decided);
        await until(() => prewarmed().length === 2, "another one is created");
        await platform.scalePool(pool, decided);
        expect(platform.observe().instances.size).toBe(2);
      }));

    test("remove deletes exactly the named instance, and refuses a version that has moved on", () =>
      withPool(2, async (subject, prewarmed) => {
        const [chosen, other] = prewarmed() as [Instance, Instance];
        await expect(subject.platform.remove({ uid: chosen.uid, resourceVersion: "0" })).rejects.toMatchObject({ code: "CONFLICT" });
        await subject.platform.remove({ uid: chosen.uid, resourceVersion: chosen.resourceVersion });
        await until(() => !subject.platform.observe().instances.has(chosen.uid), "it is gone");
        expect([...subject.platform.observe().instances.keys()]).toEqual([other.uid]);
        await expect(subject.platform.remove({ uid: chosen.uid, resourceVersion: "1" })).rejects.toMatchObject({ code: "NOT_FOUND" });
      }));

    test("a drained instance accepts no order and ends", () =>
      withPool(1, async (subject, prewarmed) => {
        const instance = first(prewarmed());
        await subject.platform.drain(instance.uid, 1000);
        const answer = await subject.platform.load(orderFor(subject.code, instance), subject.code).catch((error) => ({ accepted: false, refusal: error.code }));
        expect(answer.accepted).toBe(false);
        await until(() => ["gone", undefined].includes(now(subject, instance.uid)?.echo?.state), "it has ended");
      }));

    test("an instance that dies by itself is seen to be gone", () =>
      withPool(1, async (subject, prewarmed) => {
        const instance = first(prewarmed());
        subject.kill(instance);
        await until(() => !subject.platform.observe().instances.has(instance.uid), "it is gone");
        await expect(subject.platform.load(orderFor(subject.code, instance), subject.code)).rejects.toMatchObject({ code: "NOT_FOUND" });
      }));

    test("what a function prints arrives with its instance", async () => {
      await withPool(1, async (subject, prewarmed) => {
        const { uid } = first(prewarmed());
        const lines: string[] = [];
        subject.platform.onLog((from, line) => from === uid && lines.push(line));
        await subject.platform.load(orderFor(subject.code, first(prewarmed())), subject.code);
        await until(() => now(subject, uid).echo?.state === "warm", "it is warm");
        await subject.print?.(now(subject, uid));
        await until(() => lines.some((line) => line.includes("printed")), "the line arrives");
      });
    });
  });
}
