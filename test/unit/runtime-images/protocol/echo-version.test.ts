import fc from "fast-check";
import { expect, test } from "vitest";
import { Instance } from "../../../../runtime-images/protocol/instance.ts";

type Step = (instance: Instance, worker: number) => void;

/** Steps in the life of an instance. */
const LIFE: Step[] = [
  (instance) => instance.addSpare(),
  (instance, worker) => instance.workerReady(worker, 4000 + worker),
  (instance) => {
    const { uid, bootId, epoch, functionUid } = instance.echo();
    instance.accept({ uid, bootId, epoch, term: epoch, functionUid: functionUid ?? "f", revision: `r${epoch}` });
  },
  (instance, worker) => instance.loaded(worker),
  (instance, worker) => instance.answered(worker),
];

/** Steps that end it. */
const ENDS: Step[] = [
  (instance, worker) => instance.loadFailed(worker, "load", "it throws"),
  (instance, worker) => instance.workerExited(worker, "it exits"),
  (instance, worker) => instance.crashed(worker, "it crashes"),
  (instance, worker) => instance.ail(worker, "it has an uncaught error"),
  (instance) => instance.fail({ reason: "crash", message: "it fails", revision: null }),
  (instance) => instance.drain(),
  (instance) => instance.gone(),
];

const step = fc.tuple(
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...LIFE) }, { weight: 1, arbitrary: fc.constantFrom(...ENDS) }),
  fc.integer({ min: 1, max: 3 }),
);

test("a changed echo has a higher version than the one before; reading it changes nothing", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const instance = new Instance("u", "b");
      let before = instance.echo();
      for (const [act, worker] of steps) {
        act(instance, worker);
        const { version, ...content } = instance.echo();
        expect(instance.echo()).toEqual({ version, ...content });
        const { version: last, ...earlier } = before;
        if (JSON.stringify(content) !== JSON.stringify(earlier)) expect(version).toBeGreaterThan(last);
        else expect(version).toBeGreaterThanOrEqual(last);
        before = { version, ...content };
      }
    }),
    { numRuns: 2000 },
  );
});

test("the end of a failed instance's worker, which takes the port out of the echo, raises the version", () => {
  const instance = new Instance("u", "b");
  instance.workerReady(instance.addSpare(), 4001);
  instance.accept({ uid: "u", bootId: "b", epoch: 0, term: 0, functionUid: "f", revision: "r1" });
  instance.loaded(1);
  instance.fail({ reason: "crash", message: "it fails", revision: null });
  const { version, port } = instance.echo();
  expect(port).toBe(4001);
  instance.workerExited(1, "it exits");
  expect(instance.echo()).toMatchObject({ port: null, version: version + 1 });
});
