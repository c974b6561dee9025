import { describe, expect, test, vi } from "vitest";
import {
  accepted,
  declare,
  eachWithFunctions,
  LAYER,
  names,
  notices,
  registry,
  SECRETS,
  server,
  soon,
  start,
  store,
  topics,
} from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

describe("a kept Secret that somebody has damaged", () => {
  const kept = async (name: string) => {
    const { parseManifest } = await import("../../../../../../pool-manager/functions/manifest/manifest.ts");
    await registry.deploy(name, () => parseManifest({ secrets: { TOKEN: name } }, ["node"]), { layer: LAYER, entry: "index.mjs" });
    return `${SECRETS}/berth-fn-${registry.get(name).uid}`;
  };
  const damage = (path: string, text: string) => server.patch(path, "merge", { metadata: {}, data: { revisions: Buffer.from(text).toString("base64") } });
  const environment = (name: string) => registry.environment(registry.get(name).uid, registry.get(name).revisions[0] as never);

  test.each(["oops", "[1]", '{"r1":"x"}', '{"r1":{"TOKEN":1}}'])("to %s takes the values of no other function, and is told", async (text) => {
    const path = await kept("c");
    await kept("d");
    store.close();
    await damage(path, text);
    await start();
    expect([names(), environment("d")]).toEqual([["a", "b", "c", "d"], { TOKEN: "d" }]);
    expect(() => environment("c")).toThrow("the values of its secrets are lost (TOKEN)");
    expect(notices).toMatchObject([{ topic: "damaged", kind: "Function", count: 1, message: expect.stringContaining(path.split("/").at(-1) as string) }]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(topics()).toEqual(["damaged 1"]);
  });

  test.each(["oops", "{}", '{"r1":{"TOKEN":"other"}}'])("to %s is written again by who has the values", async (text) => {
    const path = await kept("c");
    await damage(path, text);
    await vi.advanceTimersByTimeAsync(25_000);
    await start();
    expect(environment("c")).toEqual({ TOKEN: "c" });
  });

  test("is not written if nothing differs", async () => {
    const path = await kept("c");
    const version = () => server.objects.get(path)?.metadata.resourceVersion;
    const before = version();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(version()).toBe(before);
  });
});

test("a failed read of kept Secrets, or of those that functions name, is reported, and does not end the other reads", async () => {
  const { parseManifest } = await import("../../../../../../pool-manager/functions/manifest/manifest.ts");
  await registry.deploy("c", () => parseManifest({ secrets: { TOKEN: "t" } }, ["node"]), { layer: LAYER, entry: "index.mjs" });
  server.refusals.set(`GET ${SECRETS}`, 500);
  await vi.advanceTimersByTimeAsync(35_000);
  server.refusals.clear();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(topics()).toEqual(["failing 1", "failing 0"]);
});

describe("a Secret that changes", () => {
  const put = (value: string) => server.patch(`${SECRETS}/token`, "merge", { metadata: {}, data: { X: Buffer.from(value).toString("base64") } });
  const value = () => {
    const record = registry.get("s");
    return registry.environment(record.uid, record.revisions.find(({ id }) => id === record.latest) as never).X;
  };

  test("makes the next revision, also if it changed while no pool manager ran; the same values make none", async () => {
    await put("1");
    await declare("s", { secretRef: "token" });
    await soon();
    await put("2");
    await vi.advanceTimersByTimeAsync(15_000);
    expect([registry.get("s").latest, value()]).toEqual(["r2", "2"]);
    store.close();
    await put("3");
    await start();
    await vi.advanceTimersByTimeAsync(15_000);
    expect([registry.get("s").latest, value()]).toEqual(["r3", "3"]);
    await put("3");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(registry.get("s").latest).toBe("r3");
  });

  test("is read again if the values that were read from it are lost", async () => {
    await put("1");
    await declare("s", { secretRef: "token" });
    await soon();
    store.close();
    server.objects.delete(`${SECRETS}/berth-fn-${registry.get("s").uid}`);
    await start();
    expect(value).toThrow("are lost (X)");
    await vi.advanceTimersByTimeAsync(15_000);
    expect([registry.get("s").latest, value()]).toEqual(["r1", "1"]);
  });

  test("and is deleted removes no value", async () => {
    await put("1");
    await declare("s", { secretRef: "token" });
    await soon();
    await server.delete(`${SECRETS}/token`);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([value(), accepted("s")?.status]).toEqual(["1", "True"]);
  });
});

test("the values of a deleted function are removed when the collector allows it, and a role without that permission is reported", async () => {
  const { parseManifest } = await import("../../../../../../pool-manager/functions/manifest/manifest.ts");
  await registry.deploy("c", () => parseManifest({ secrets: { TOKEN: "t" } }, ["node"]), { layer: LAYER, entry: "index.mjs" });
  const { uid } = registry.get("c");
  const path = `${SECRETS}/berth-fn-${uid}`;
  let reason: string | null = null;
  const gone: string[] = [];
  const collector = { mayGo: () => reason, gone: (_kind: string, item: string) => gone.push(item), end: () => {} };
  const none: ReadonlySet<string> = new Set();
  await store.retain(new Set([uid]), collector);
  await store.retain(none, collector);
  expect([server.objects.has(path), gone]).toEqual([true, []]);
  reason = "deleted";
  server.refusals.set(`DELETE ${SECRETS}`, 403);
  await expect(store.retain(none, collector)).rejects.toMatchObject({ status: 403 });
  await expect(store.retain(none, collector)).rejects.toMatchObject({ status: 403 });
  server.refusals.clear();
  await vi.advanceTimersByTimeAsync(4_000_000);
  await store.retain(none, collector);
  expect([server.objects.has(path), gone]).toEqual([false, [`berth-fn-${uid}`]]);
});
