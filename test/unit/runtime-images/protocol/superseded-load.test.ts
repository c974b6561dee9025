import { describe, expect, test } from "vitest";
import { Instance } from "../../../../runtime-images/protocol/instance.ts";

const order = (instance: Instance, revision: string, functionUid = "f") =>
  instance.accept({ uid: "i", bootId: "b", epoch: instance.echo().epoch, term: 1, functionUid, revision });

/** An instance whose first revision loads; its worker listens at port 1. */
function loading(): { instance: Instance; worker: number } {
  const instance = new Instance("i", "b");
  const worker = instance.addSpare();
  instance.workerReady(worker, 1);
  order(instance, "r1");
  return { instance, worker };
}

describe("an order that comes while code is loading", () => {
  test("is refused for another function", () => {
    const { instance } = loading();
    expect(order(instance, "r1", "other").answer).toMatchObject({ accepted: false, refusal: "function" });
    expect(instance.echo()).toMatchObject({ state: "specializing", revision: "r1", epoch: 1 });
  });

  test("names the worker that must end, and gets another one", () => {
    const { instance, worker } = loading();
    const { answer, assignment, superseded } = order(instance, "r2");
    expect([assignment, superseded]).toEqual([{ workerId: worker + 1, start: true }, worker]);
    expect(answer).toMatchObject({ accepted: true, echo: { state: "specializing", revision: "r2", epoch: 2, port: null } });
  });

  test.each([
    ["loads after all", (instance: Instance, worker: number) => expect(instance.loaded(worker)).toEqual([])],
    ["fails to load", (instance: Instance, worker: number) => expect(instance.loadFailed(worker, "load", "boom")).toBe(false)],
    ["ends", (instance: Instance, worker: number) => instance.workerExited(worker, "killed")],
    ["crashes", (instance: Instance, worker: number) => instance.crashed(worker, "boom")],
    ["ails", (instance: Instance, worker: number) => expect(instance.ail(worker, "boom")).toEqual([])],
  ])("is what counts, though the superseded worker %s", (_what, happens) => {
    const { instance, worker } = loading();
    const next = order(instance, "r2").assignment?.workerId as number;
    happens(instance, worker);
    expect(instance.echo()).toMatchObject({ state: "specializing", revision: "r2", error: null });
    instance.workerReady(next, 2);
    instance.loaded(next);
    expect(instance.echo()).toMatchObject({ state: "warm", revision: "r2", port: 2, error: null });
  });

  test("returns to the worker that serves its revision, which loads nothing again", () => {
    const { instance, worker } = loading();
    instance.loaded(worker);
    const next = order(instance, "r2").assignment?.workerId as number;
    const { answer, assignment, superseded } = order(instance, "r1");
    expect([assignment, superseded]).toEqual([null, next]);
    expect(answer).toMatchObject({ accepted: true, echo: { state: "warm", revision: "r1", port: 1, epoch: 3, loaded: true, error: null } });
    expect(instance.loaded(next)).toEqual([]);
    instance.workerExited(next, "killed");
    expect(instance.echo()).toMatchObject({ state: "warm", revision: "r1", port: 1, error: null });
  });

  test("leaves the older worker to serve if its own code does not load", () => {
    const { instance, worker } = loading();
    instance.loaded(worker);
    order(instance, "r2");
    const next = order(instance, "r3").assignment?.workerId as number;
    instance.loadFailed(next, "load", "boom");
    expect(instance.echo()).toMatchObject({ state: "warm", revision: "r1", port: 1, error: { revision: "r3" } });
  });
});
