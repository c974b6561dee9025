import { beforeEach, describe, expect, test, vi } from "vitest";
import type { FunctionResource } from "../../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import {
  declare,
  eachWithFunctions,
  notices,
  PATH,
  registry,
  resource,
  server,
  soon,
  start,
  store,
  topics,
} from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

describe("a status that somebody edits", () => {
  const edit = (name: string, change: object) => {
    const { metadata, status } = resource(name) as FunctionResource;
    const edited = Object.fromEntries(Object.entries({ ...status, ...change }).filter(([, value]) => value !== undefined));
    return server.replace(`${PATH}/${name}/status`, { metadata, status: edited });
  };
  const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
  const idle = { status: "Unknown", reason: "Idle", message: "" } as const;

  beforeEach(async () => {
    await declare("a", { env: { X: "1" } });
    await soon();
  });

  test.each([
    ["another active revision", { active: "r1" }],
    ["another uid", { uid: "other" }],
    ["no uid", { uid: undefined }],
    ["a share for another revision", { traffic: { split: { r1: 50 }, aliases: {} } }],
    ["revisions that are none", { revisions: [{ id: "r1" }] }],
    ["a rollout that nobody has begun", { rollout: { from: "r1", to: "r2", step: 0, state: "rolling" } }],
    ["another number for the next revision", { nextRevision: 99 }],
    ["nothing at all", Object.fromEntries(["uid", "active", "latest", "revisions", "scaling", "traffic"].map((field) => [field, undefined]))],
  ])("(%s) says what the leader's record says again, told once, and is that after a restart", async (_what, change) => {
    const { createdAt: _, ...before } = registry.get("a");
    await edit("a", change);
    await seconds(5);
    expect(resource("a")?.status).toMatchObject({ uid: before.uid, active: "r2", nextRevision: 3, traffic: { split: {} }, observedGeneration: 2 });
    expect(notices).toMatchObject([{ topic: "edited", kind: "Function", count: 1, message: expect.stringContaining(Object.keys(change)[0] as string) }]);
    await store.report("a", 1, idle);
    expect(resource("a")?.status).toMatchObject({ uid: before.uid, active: "r2", warm: 1 });
    await start();
    expect([registry.get("a"), notices]).toMatchObject([before, []]);
  });

  test("repeatedly is restored after pauses, and reported once until it has stayed unedited for a while", async () => {
    const replace = vi.spyOn(server, "replace");
    for (let i = 0; i < 300; i++) {
      if (resource("a")?.status?.active === "r2") await edit("a", { active: "r1" });
      await seconds(1);
    }
    // Edits among them.
    expect(replace.mock.calls.length).toBeLessThan(24);
    expect(topics()).toEqual(["edited 1"]);
    await seconds(400);
    expect(resource("a")?.status?.active).toBe("r2");
    await edit("a", { active: "r1" });
    await seconds(5);
    expect([resource("a")?.status?.active, topics()]).toEqual(["r2", ["edited 1", "edited 1"]]);
  });

  test("is restored from the record by a report too", async () => {
    server.silently(() => {
      const found = resource("a") as FunctionResource;
      server.objects.set(`${PATH}/a`, {
        ...found,
        metadata: { ...found.metadata, resourceVersion: String(++server.version) },
        status: { ...found.status, active: "r1" },
      });
    });
    await store.report("a", 3, idle);
    expect(resource("a")?.status).toMatchObject({ active: "r2", warm: 3 });
  });

  test("and has a later term is left to the later leader", async () => {
    await edit("a", { active: "r1", term: 2 });
    await seconds(60);
    expect([resource("a")?.status?.active, topics()]).toEqual(["r1", []]);
    // It is fenced off by what it has to write, which has it let go of the Lease.
    await expect(store.report("a", 1, idle)).rejects.toMatchObject({ reason: "Fenced" });
  });

  test("while a change is being written does not restore the former record", async () => {
    const replace = server.replace.bind(server);
    // The answer to the write of the next revision comes late, its echo at once.
    vi.spyOn(server, "replace").mockImplementationOnce(async (path: string, body: unknown) => {
      const answer = await replace(path, body);
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      return answer as never;
    });
    await declare("a", { env: { X: "2" } });
    await seconds(10);
    await store.report("a", 2, idle);
    expect(resource("a")?.status).toMatchObject({ active: "r3" });
    await seconds(30);
    expect([resource("a")?.status?.active, registry.get("a").active, topics()]).toEqual(["r3", "r3", []]);
  });

  test("after a write without an answer is settled by what the spec declares", async () => {
    const replace = server.replace.bind(server);
    vi.spyOn(server, "replace").mockImplementationOnce(async (path: string, body: unknown) => {
      await replace(path, body);
      throw new Error("no answer");
    });
    await declare("a", { env: { X: "2" } });
    await seconds(30);
    expect([registry.get("a").active, resource("a")?.status?.active]).toEqual(["r3", "r3"]);
  });

  test("and cannot be restored now is reported, and restored when it can be", async () => {
    await edit("a", { active: "r1" });
    server.refusals.set(`PUT ${PATH}/a`, 500);
    await seconds(60);
    server.refusals.clear();
    await seconds(60);
    expect([resource("a")?.status?.active, topics()]).toEqual(["r2", ["edited 1", "failing 1", "failing 0"]]);
  });

  test("of fields that the definition drops is not written again and again", async () => {
    server.pruned = ["rollout", "rolloutPolicy", "traffic"];
    await declare("a", { env: { X: "2" }, traffic: { aliases: { old: "r1" } } });
    await soon();
    const { resourceVersion } = (resource("a") as FunctionResource).metadata;
    await seconds(120);
    expect([resource("a")?.metadata.resourceVersion, topics()]).toEqual([resourceVersion, ["dropped 1"]]);
  });
});

test("a definition that drops fields of the status is reported once, and again when it keeps them", async () => {
  server.pruned = ["rollout", "rolloutPolicy", "traffic"];
  await declare("a", { env: { X: "1" } });
  await soon();
  await declare("a", { env: { X: "2" } });
  await soon();
  expect(notices).toMatchObject([{ topic: "dropped", kind: "Function", message: expect.stringContaining("traffic") }]);
  const idle = { status: "Unknown", reason: "Idle", message: "" } as const;
  const stored = () => resource("a")?.status?.conditions?.find(({ type }) => type === "Stored")?.status;
  await store.report("a", 0, idle);
  expect(stored()).toBe("False");
  server.pruned = [];
  await declare("a", { env: { X: "3" } });
  await soon();
  await store.report("a", 0, idle);
  expect(stored()).toBe("True");
  expect(topics()).toEqual(["dropped 1", "dropped 0"]);
});
