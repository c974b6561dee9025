import { expect, test } from "vitest";
import { Instance } from "../../../../runtime-images/protocol/instance.ts";

/** An instance that serves r1, and the number of its worker. */
function serving(): { instance: Instance; worker: number } {
  const instance = new Instance("i", "b");
  const worker = instance.addSpare();
  instance.workerReady(worker, 1);
  order(instance, "r1", 0);
  instance.loaded(worker);
  return { instance, worker };
}

function order(instance: Instance, revision: string, epoch: number): number {
  return instance.accept({ uid: "i", bootId: "b", epoch, term: 1, functionUid: "f", revision }).assignment?.workerId ?? 0;
}

test("a worker's own report of its crash is kept when its process ends", () => {
  const { instance, worker } = serving();
  instance.answered(worker);
  instance.crashed(worker, "out of paper");
  instance.workerExited(worker, "exited with code 1");
  expect(instance.echo()).toMatchObject({ state: "failed", error: { reason: "crash", message: "out of paper", revision: null } });
});

test("the crash of a retiring worker says nothing of the revision that serves", () => {
  const { instance, worker } = serving();
  const next = order(instance, "r2", 1);
  instance.workerReady(next, 2);
  expect(instance.loaded(next)).toEqual([worker]);
  instance.crashed(worker, "out of paper");
  instance.workerExited(worker, "exited with code 1");
  expect(instance.echo()).toMatchObject({ state: "warm", revision: "r2", error: null });
});

test.each([
  ["its process ends", (instance: Instance, worker: number): void => instance.workerExited(worker, "exited with code 3")],
  ["its process ends above its memory", (instance: Instance, worker: number): void => instance.workerExited(worker, "too much", "memory")],
  ["it reports a crash", (instance: Instance, worker: number): void => instance.crashed(worker, "out of paper")],
  ["it ails", (instance: Instance, worker: number): void => void instance.ail(worker, "out of paper")],
] as const)("a worker's end is held against its revision only if it has never answered: %s", (_, end) => {
  const never = serving();
  end(never.instance, never.worker);
  expect(never.instance.echo().error?.revision).toBe("r1");
  const before = serving();
  before.instance.answered(before.worker);
  end(before.instance, before.worker);
  expect(before.instance.echo().error?.revision).toBeNull();
});
