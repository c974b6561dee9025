import { beforeEach, describe, expect, test, vi } from "vitest";
import { parseManifest } from "../../../../../../pool-manager/functions/manifest/manifest.ts";
import { DEFINITIONS } from "../../../../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";
import {
  accepted,
  declare,
  eachWithFunctions,
  LAYER,
  names,
  notices,
  PATH,
  recreate,
  registry,
  resource,
  server,
  soon,
  start,
  topics,
} from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

describe("a function whose resource was deleted, and is held by finalizers", () => {
  const hold = (name: string) => server.patch(`${PATH}/${name}`, "merge", { metadata: { finalizers: ["argocd.argoproj.io/x"] } });
  const deploy = (name: string) => registry.deploy(name, () => parseManifest({ concurrency: 2 }, ["node"]), { layer: LAYER, entry: "index.mjs" });

  beforeEach(async () => {
    await hold("a");
    await server.delete(`${PATH}/a`);
    await soon();
  });

  test("is served until it is gone, also by the next leader, and names what holds it", async () => {
    expect([names(), registry.endingOf("a"), registry.endingOf("b")]).toEqual([["a", "b"], ["argocd.argoproj.io/x"], null]);
    await start();
    expect(names()).toEqual(["a", "b"]);
    server.letGo(`${PATH}/a`);
    await soon();
    expect([names(), registry.endingOf("a")]).toEqual([["b"], null]);
  });

  test("accepts no change, which would be deleted with it, and keeps its record", async () => {
    const before = structuredClone(resource("a")?.spec);
    const { uid } = registry.get("a");
    for (const change of [() => deploy("a"), () => registry.setTraffic("a", { aliases: { live: "r1" } })])
      await expect(change()).rejects.toMatchObject({ code: "FUNCTION_ENDING", status: 409, message: expect.stringContaining("argocd.argoproj.io/x") });
    expect([resource("a")?.spec, registry.get("a").uid]).toEqual([before, uid]);
    server.letGo(`${PATH}/a`);
    await soon();
    await declare("a");
    await soon();
    expect([names(), registry.get("a").uid === uid]).toEqual([["a", "b"], false]);
  });

  test("is over once it is deleted by the API too, for the next leader as well, and its name is taken until it is gone", async () => {
    await registry.remove("a");
    await start();
    expect(names()).toEqual(["b"]);
    server.letGo(`${PATH}/a`);
    await soon();
    expect([names(), notices]).toEqual([["b"], []]);
  });

  test("is noticed by the answer if its deletion was not observed yet", async () => {
    await hold("b");
    server.silently(() => void server.delete(`${PATH}/b`));
    await expect(registry.setTraffic("b", { aliases: { live: "r1" } })).rejects.toMatchObject({ code: "FUNCTION_ENDING" });
  });
});

test("a function that the API deletes while finalizers hold its resource is over, and another one of its name waits until it is gone", async () => {
  await server.patch(`${PATH}/a`, "merge", { metadata: { finalizers: ["x/y"] } });
  await soon();
  await registry.remove("a");
  await soon();
  const again = () => registry.deploy("a", () => parseManifest({}, ["node"]), { layer: LAYER, entry: "index.mjs" });
  await expect(again()).rejects.toMatchObject({ code: "FUNCTION_ENDING" });
  expect(names()).toEqual(["b"]);
  server.letGo(`${PATH}/a`);
  await soon();
  await again();
  await soon();
  expect([names(), accepted("a")?.status]).toEqual([["a", "b"], "True"]);
});

describe("the end of a resource is no evidence", () => {
  test("if the definition was deleted: functions continue, the deletion is reported, and they are written again under the next one", async () => {
    const before = { a: resource("a"), uid: registry.get("a").uid };
    server.undefine("functions");
    await vi.advanceTimersByTimeAsync(120_000);
    expect([names(), topics()]).toEqual([["a", "b"], ["missing 2"]]);
    server.define("functions");
    await vi.advanceTimersByTimeAsync(60_000);
    expect([names(), topics()]).toEqual([
      ["a", "b"],
      ["missing 2", "restored 0"],
    ]);
    expect([resource("a")?.spec, resource("a")?.status?.uid, accepted("a")?.status]).toEqual([before.a?.spec, before.uid, "True"]);
    expect(resource("a")?.metadata.uid).not.toBe(before.a?.metadata.uid);
    await server.delete(`${PATH}/a`);
    await soon();
    expect(names()).toEqual(["b"]);
  });

  test("if another definition is there already when it is read", async () => {
    server.undefine("functions");
    server.define("functions");
    await vi.advanceTimersByTimeAsync(10_000);
    expect([names(), resource("a")?.status?.active, topics()]).toEqual([["a", "b"], "r1", ["missing 2", "restored 0"].slice(-topics().length)]);
  });

  test.each([
    [
      "is being deleted",
      () => {
        const definition = server.objects.get(`${DEFINITIONS}/functions.berth.dev`);
        if (definition) definition.metadata.deletionTimestamp = "now";
      },
    ],
    [
      "may not be read and accepts nothing new",
      () => {
        server.refusals.set(`GET ${DEFINITIONS}`, 403).set(`POST ${PATH}`, 405);
      },
    ],
    [
      "may not be read and is gone",
      () => {
        server.refusals.set(`GET ${DEFINITIONS}`, 403).set(`POST ${PATH}`, 404);
      },
    ],
    [
      "stands in a namespace that is being deleted",
      () => {
        const namespace = server.objects.get("/api/v1/namespaces/n");
        if (namespace) namespace.metadata.deletionTimestamp = "now";
      },
    ],
  ])("where the definition %s", async (_what, happens) => {
    happens();
    await server.delete(`${PATH}/a`);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(names()).toEqual(["a", "b"]);
  });

  test("if only a listing lacks it: it is written again", async () => {
    server.silently(() => server.objects.delete(`${PATH}/a`));
    server.expire();
    await vi.advanceTimersByTimeAsync(90_000);
    expect([names(), resource("a")?.status?.uid, topics()]).toEqual([["a", "b"], registry.get("a").uid, ["missing 1", "restored 0"]]);
  });

  test("if the API server cannot tell", async () => {
    server.refusals.set(`GET ${PATH}/a`, 500);
    await server.delete(`${PATH}/a`);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(names()).toEqual(["a", "b"]);
    server.refusals.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names()).toEqual(["b"]);
  });
});

test("if the definition may not be read, a deletion is believed after the kind was served for a while", async () => {
  server.refusals.set(`GET ${DEFINITIONS}`, 403);
  await server.delete(`${PATH}/a`);
  await vi.advanceTimersByTimeAsync(2000);
  expect(names()).toEqual(["a", "b"]);
  await vi.advanceTimersByTimeAsync(8000);
  expect(names()).toEqual(["b"]);
});

describe("another resource of the name", () => {
  test("is another function if the deletion of the first was observed, and the same one if it was not", async () => {
    const [a, b] = [registry.get("a").uid, registry.get("b").uid];
    await server.delete(`${PATH}/a`);
    await declare("a");
    server.silently(() => recreate("b"));
    server.expire();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(registry.get("a").uid).not.toBe(a);
    expect([registry.get("b").uid, resource("b")?.status?.uid, registry.endOf(a)]).toEqual([b, b, "deleted"]);
  });
});
