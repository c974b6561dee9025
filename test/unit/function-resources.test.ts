import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ManagerError } from "../../pool-manager/errors.ts";
import { FunctionRegistry } from "../../pool-manager/functions/registry.ts";
import { buildImage, digestOf } from "../../pool-manager/images/oci.ts";
import { CLONESETS } from "../../pool-manager/platform/kruise/objects.ts";
import { RESOURCES } from "../../pool-manager/resources/crds.ts";
import { DEFINITIONS } from "../../pool-manager/resources/definition.ts";
import type { FunctionResource, FunctionSpec } from "../../pool-manager/resources/function-resource.ts";
import { FunctionResources } from "../../pool-manager/resources/function-resources.ts";
import type { StoreNotice } from "../../pool-manager/resources/notice.ts";
import { ResourceServer } from "../helpers/resource-server.ts";

const LAYER = `sha256:${"1".repeat(64)}`;
const PATH = `${RESOURCES}/namespaces/n/functions`;
const SECRETS = "/api/v1/namespaces/n/secrets";

let server: ResourceServer;
let store: FunctionResources;
let registry: FunctionRegistry;
let notices: StoreNotice[];
let code: Set<string>;
let blobs: Map<string, Uint8Array>;

/** A pool manager begins, as far as functions are concerned. */
async function start(): Promise<void> {
  store?.close();
  notices = [];
  store = new FunctionResources({
    kube: server,
    term: 1,
    runtimes: ["node"],
    code: async (layer) => {
      if (!code.has(layer)) throw new ManagerError("CODE_UNKNOWN", "nobody has it");
      return { layer, entry: "index.mjs" };
    },
    upload: async () => ({ layer: LAYER, entry: "index.mjs" }),
    blob: async (digest) => blobs.get(digest) ?? Promise.reject(new Error("no blob")),
    notice: (notice) => notices.push(notice),
  });
  registry = new FunctionRegistry(store, build, () => {});
  await registry.load();
  store.follow({ declared: (declaration) => registry.declare(declaration), withdrawn: (name) => registry.withdraw(name) });
  await soon();
}

async function build(name: string, revision: string, identity: string, layer: string): Promise<string> {
  const labels = { "dev.berth.identity": identity, "dev.berth.function": name, "dev.berth.revision": revision };
  const image = buildImage({ layers: [{ digest: layer, size: 1 }], entrypoint: ["/entry"], labels, architecture: "amd64" });
  for (const blob of [image.config, image.manifest]) blobs.set(digestOf(blob), blob);
  return digestOf(image.manifest);
}

const soon = () => vi.advanceTimersByTimeAsync(500);
const spec = (more: FunctionSpec = {}): FunctionSpec => ({ code: { digest: LAYER }, ...more });
const declare = (name: string, more: FunctionSpec = {}) => server.patch(`${PATH}/${name}`, "apply", { metadata: {}, spec: spec(more) });
const resource = (name: string) => server.objects.get(`${PATH}/${name}`) as FunctionResource | undefined;
const accepted = (name: string) => resource(name)?.status?.conditions?.find(({ type }) => type === "Accepted");
const names = () => registry.list().map(({ name }) => name);
const topics = () => notices.map(({ topic, count }) => `${topic} ${count}`);

/** The status is lost, as with a backup that has only what somebody declared. */
function recreate(name: string): void {
  const { spec: declared } = resource(name) as FunctionResource;
  server.objects.delete(`${PATH}/${name}`);
  server.objects.set(`${PATH}/${name}`, {
    metadata: { name, uid: `again-${name}`, resourceVersion: String(++server.version), generation: 1, creationTimestamp: "2026-02-02T00:00:00Z" },
    spec: declared,
  });
}

beforeEach(async () => {
  vi.useFakeTimers();
  server = new ResourceServer();
  code = new Set([LAYER]);
  blobs = new Map();
  await start();
  await declare("a");
  await declare("b");
  await soon();
});
afterEach(() => {
  store.close();
  vi.useRealTimers();
});

test("what is declared is taken in, and ends with the deletion of its resource", async () => {
  expect([names(), accepted("a")?.status]).toEqual([["a", "b"], "True"]);
  await server.delete(`${PATH}/a`);
  await soon();
  expect([names(), registry.endOf("unknown"), notices]).toEqual([["b"], null, []]);
});

describe("the end of a resource is no evidence", () => {
  test("where the definition was deleted: functions go on, it is told, and they are written again under the next one", async () => {
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

  test("where another definition is there already when it is looked at", async () => {
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

  test("where only a listing lacks it: it is written again", async () => {
    server.silently(() => server.objects.delete(`${PATH}/a`));
    server.expire();
    await vi.advanceTimersByTimeAsync(90_000);
    expect([names(), resource("a")?.status?.uid, topics()]).toEqual([["a", "b"], registry.get("a").uid, ["missing 1", "restored 0"]]);
  });

  test("where the API server cannot say", async () => {
    server.refusals.set(`GET ${PATH}/a`, 500);
    await server.delete(`${PATH}/a`);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(names()).toEqual(["a", "b"]);
    server.refusals.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names()).toEqual(["b"]);
  });
});

test("where the definition may not be read, a deletion is believed after the kind was served for a while", async () => {
  server.refusals.set(`GET ${DEFINITIONS}`, 403);
  await server.delete(`${PATH}/a`);
  await vi.advanceTimersByTimeAsync(2000);
  expect(names()).toEqual(["a", "b"]);
  await vi.advanceTimersByTimeAsync(8000);
  expect(names()).toEqual(["b"]);
});

describe("another resource of the name", () => {
  test("is another function where the deletion of the first was seen, and the same one where it was not", async () => {
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

  test("is looked for among what no record is of", async () => {
    await run("a");
    await run("b");
    recreate("a");
    const read = vi.spyOn(blobs, "get");
    await start();
    await declare("c");
    await soon();
    expect(names()).toEqual(["a", "b", "c"]);
    // Manifest and configuration of the one image that is nobody's.
    expect(read.mock.calls.length).toBe(2);
  });

  test("is another function where it declares something else, or that one was deleted", async () => {
    await run("a");
    const { uid } = registry.get("a");
    recreate("a");
    (resource("a") as FunctionResource).spec = spec({ env: { X: "other" } });
    await start();
    expect(registry.get("a").uid).not.toBe(uid);
  });

  test("keeps the secret values that the API was given", async () => {
    const { env: _, ...manifest } = { env: {}, secrets: { TOKEN: "t" } };
    const { parseManifest } = await import("../../pool-manager/functions/manifest.ts");
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
    const { parseManifest } = await import("../../pool-manager/functions/manifest.ts");
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
    // Who says nothing of them is refused; the same values are those of the revision that there is.
    const kept = registry.deploy("c", (current) => parseManifest({ minScale: 1 }, ["node"], current));
    await expect(kept).rejects.toMatchObject({ code: "SECRETS_LOST", message: "the values of secrets of c are lost: TOKEN" });
    await registry.deploy("c", (current) => parseManifest({ secrets: { TOKEN: "t" } }, ["node"], current));
    expect(registry.get("c").latest).toBe("r1");
    expect(registry.environment(uid, revisions[0] as never)).toEqual({ TOKEN: "t" });
  });

  test("of which half is left is taken in like one without", async () => {
    const found = resource("a") as FunctionResource;
    server.objects.set(`${PATH}/a`, {
      ...found,
      status: { uid: "x", observedGeneration: 1, active: "r9", scaling: found.status?.scaling, revisions: found.status?.revisions },
    });
    await start();
    expect([registry.get("a").active, resource("a")?.status?.active]).toEqual(["r1", "r1"]);
  });
});

describe("what cannot be taken in yet", () => {
  test("is held with the reason, told once, and taken in when its Secret comes, or its code", async () => {
    await declare("s", { secretRef: "token" });
    const later = `sha256:${"2".repeat(64)}`;
    await declare("c", { code: { digest: later } });
    await soon();
    expect([accepted("s")?.reason, accepted("c")?.reason]).toEqual(["SECRET_NOT_FOUND", "CODE_UNKNOWN"]);
    const { resourceVersion } = (resource("s") as FunctionResource).metadata;
    await vi.advanceTimersByTimeAsync(40_000);
    expect(resource("s")?.metadata.resourceVersion).toBe(resourceVersion);
    code.add(later);
    await server.create(SECRETS, { metadata: { name: "token" }, data: { X: Buffer.from("1").toString("base64") } });
    await vi.advanceTimersByTimeAsync(70_000);
    expect([accepted("s")?.status, accepted("c")?.status, names()]).toEqual(["True", "True", ["a", "b", "c", "s"]]);
  });

  test("is held over a restart too", async () => {
    await declare("s", { secretRef: "token" });
    await soon();
    await server.create(SECRETS, { metadata: { name: "token" }, data: {} });
    await start();
    expect(accepted("s")?.status).toBe("True");
  });

  test("is refused for good where only another declaration helps", async () => {
    await declare("x", { timeout: "99h" });
    await soon();
    const { resourceVersion } = (resource("x") as FunctionResource).metadata;
    await vi.advanceTimersByTimeAsync(120_000);
    expect([accepted("x")?.reason, resource("x")?.metadata.resourceVersion]).toEqual(["MANIFEST_INVALID", resourceVersion]);
  });
});

describe("a Secret that changes", () => {
  const put = (value: string) => server.patch(`${SECRETS}/token`, "merge", { metadata: {}, data: { X: Buffer.from(value).toString("base64") } });
  const value = () => {
    const record = registry.get("s");
    return registry.environment(record.uid, record.revisions.find(({ id }) => id === record.latest) as never).X;
  };

  test("makes the next revision, also where it changed while nobody looked; the same values make none", async () => {
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

  test("is read again where the values that were taken from it are lost", async () => {
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

  test("and is deleted takes nothing away", async () => {
    await put("1");
    await declare("s", { secretRef: "token" });
    await soon();
    await server.delete(`${SECRETS}/token`);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([value(), accepted("s")?.status]).toEqual(["1", "True"]);
  });
});

test("the values of a function that is gone are removed when the collector allows it, and a role that may not says so", async () => {
  const { parseManifest } = await import("../../pool-manager/functions/manifest.ts");
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

test("a definition that drops fields of the status is told of, once, and again when it keeps them", async () => {
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
