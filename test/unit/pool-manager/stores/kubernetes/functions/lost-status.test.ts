import { describe, expect, test, vi } from "vitest";
import type { InForce } from "../../../../../../pool-manager/functions/manifest/manifest.ts";
import { CLONESETS } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import type { FunctionResource } from "../../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import {
  blobs,
  declare,
  eachWithFunctions,
  LAYER,
  names,
  notices,
  PATH,
  recreate,
  registry,
  resource,
  SECRETS,
  server,
  soon,
  spec,
  start,
  store,
  topics,
} from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

describe("a resource that has lost its status", () => {
  const run = async (name: string) => {
    const { uid, revisions, latest } = registry.get(name);
    const image = revisions.find(({ id }) => id === latest)?.image;
    const spec = { replicas: 0, template: { spec: { containers: [{ name: "code", image: `reg/x:tag@${image}` }] } } };
    await server.create(`${CLONESETS}/namespaces/n/clonesets`, { metadata: { name: `fn-${uid}`, labels: { "berth.dev/function": uid } }, spec });
  };

  test("is the function that its CloneSet's image says, at the revision that its pods have", async () => {
    await declare("a", { env: { X: "1" } });
    await soon();
    await run("a");
    const { uid } = registry.get("a");
    recreate("a");
    await start();
    expect(registry.get("a")).toMatchObject({ uid, latest: "r2", active: "r2" });
    await declare("a", { env: { X: "2" } });
    await soon();
    // Above all that any instance may have loaded.
    expect(registry.get("a").latest).toBe("r13");
  });

  test("is compared only with images that belong to no record", async () => {
    await run("a");
    await run("b");
    recreate("a");
    const read = vi.spyOn(blobs, "get");
    await start();
    await declare("c");
    await soon();
    expect(names()).toEqual(["a", "b", "c"]);
    // Manifest and configuration of the one image that belongs to no record.
    expect(read.mock.calls.length).toBe(2);
  });

  test("is another function if its declaration differs, or if the former function was deleted", async () => {
    await run("a");
    const { uid } = registry.get("a");
    recreate("a");
    (resource("a") as FunctionResource).spec = spec({ env: { X: "other" } });
    await start();
    expect(registry.get("a").uid).not.toBe(uid);
  });

  test("keeps the secret values that the API was given", async () => {
    const { env: _, ...manifest } = { env: {}, secrets: { TOKEN: "t" } };
    const { parseManifest } = await import("../../../../../../pool-manager/functions/manifest/manifest.ts");
    await registry.deploy("c", () => parseManifest(manifest, ["node"]), { layer: LAYER, entry: "index.mjs" });
    await run("c");
    const { uid } = registry.get("c");
    recreate("c");
    await start();
    const record = registry.get("c");
    expect([record.uid, registry.environment(uid, record.revisions[0] as never)]).toEqual([uid, { TOKEN: "t" }]);
    expect(server.objects.get(`${SECRETS}/berth-fn-${uid}`)?.metadata.ownerReferences).toBeUndefined();
  });

  test("is not run without the secret values that somebody has deleted; while a pool manager runs, it writes them again", async () => {
    const { parseManifest, patchManifest } = await import("../../../../../../pool-manager/functions/manifest/manifest.ts");
    await registry.deploy("c", () => parseManifest({ secrets: { TOKEN: "t" } }, ["node"]), { layer: LAYER, entry: "index.mjs" });
    const { uid, revisions } = registry.get("c");
    const path = `${SECRETS}/berth-fn-${uid}`;
    server.objects.delete(path);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(server.objects.has(path)).toBe(true);
    await start();
    expect(registry.environment(uid, revisions[0] as never)).toEqual({ TOKEN: "t" });
    server.objects.delete(path);
    await start();
    expect(() => registry.environment(uid, revisions[0] as never)).toThrow("the values of its secrets are lost (TOKEN): deploy it again with them");
    await vi.advanceTimersByTimeAsync(30_000);
    expect([server.objects.has(path), notices]).toEqual([false, []]);
    // A deployment that does not mention them is refused; the same values are those of the existing revision.
    const change = (patch: object) => registry.deploy("c", (current) => patchManifest(patch, ["node"], current as InForce));
    const kept = change({ minScale: 1 });
    await expect(kept).rejects.toMatchObject({ code: "SECRETS_LOST", message: "the values of secrets of c are lost: TOKEN" });
    await expect(change({ secrets: { OTHER: "o" } })).rejects.toMatchObject({ code: "SECRETS_LOST" });
    await change({ secrets: { TOKEN: "t" } });
    expect(registry.get("c").latest).toBe("r1");
    expect(registry.environment(uid, revisions[0] as never)).toEqual({ TOKEN: "t" });
  });

  test("that is incomplete is ingested like one without status", async () => {
    const found = resource("a") as FunctionResource;
    server.objects.set(`${PATH}/a`, {
      ...found,
      status: { uid: "x", observedGeneration: 1, active: "r9", scaling: found.status?.scaling, revisions: found.status?.revisions },
    });
    await start();
    expect([registry.get("a").active, resource("a")?.status?.active]).toEqual(["r1", "r1"]);
  });
});

describe("a record of which a part cannot be", () => {
  test.each([
    ["revisions that have only an id", (status: object) => ({ ...status, revisions: [{ id: "r1" }] })],
    ["scaling without numbers", (status: object) => ({ ...status, scaling: {} })],
    ["traffic that is none", (status: object) => ({ ...status, traffic: { split: "x" } })],
    ["a rollout policy without steps", (status: object) => ({ ...status, rolloutPolicy: {} })],
    ["a rollout that goes nowhere", (status: object) => ({ ...status, rollout: { state: "rolling" } })],
  ])("(%s) is told, and the function taken in as it declares", async (_what, damaged) => {
    store.close();
    const found = resource("a") as FunctionResource;
    server.objects.set(`${PATH}/a`, { ...found, status: damaged(found.status ?? {}) });
    await start();
    await vi.advanceTimersByTimeAsync(30_000);
    expect([names(), registry.get("a").revisions[0]?.layer]).toEqual([["a", "b"], LAYER]);
    expect(resource("a")?.status).toMatchObject({ active: "r1", scaling: { maxScale: 20 }, revisions: [{ id: "r1", layer: LAYER }] });
    expect(notices).toMatchObject([{ topic: "damaged", count: 1, message: expect.stringContaining("a") }]);
  });
});

test("after a backup was put back, what its resources declare holds", async () => {
  const before = structuredClone(resource("a") as FunctionResource);
  const { version } = server;
  await declare("a", { env: { X: "new" } });
  await soon();
  expect(registry.get("a").latest).toBe("r2");
  server.silently(() => {
    server.objects.set(`${PATH}/a`, before);
    server.version = version;
  });
  server.expire();
  await soon();
  expect([topics(), registry.get("a").latest, registry.get("a").active]).toEqual([["history 2"], "r1", "r1"]);
  await declare("a", { env: { X: "newer" } });
  await soon();
  expect([registry.get("a").latest, registry.get("a").revisions.length]).toEqual(["r3", 3]);
});
