import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ManagerError } from "../../../../../pool-manager/errors.ts";
import { type InForce, parseManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../../../pool-manager/functions/registry.ts";
import { buildImage, digestOf } from "../../../../../pool-manager/images/oci.ts";
import { withRetries } from "../../../../../pool-manager/kubernetes/retry.ts";
import { CLONESETS } from "../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { RESOURCES } from "../../../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { DEFINITIONS } from "../../../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";
import type { FunctionResource, FunctionResourceSpec } from "../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import { FunctionResources } from "../../../../../pool-manager/stores/kubernetes/function-resources.ts";
import type { StoreNotice } from "../../../../../pool-manager/stores/kubernetes/notices.ts";
import { ResourceServer } from "../../../../helpers/servers/resource-server.ts";

const LAYER = `sha256:${"1".repeat(64)}`;
const PATH = `${RESOURCES}/namespaces/n/functions`;
const SECRETS = "/api/v1/namespaces/n/secrets";

let server: ResourceServer;
let store: FunctionResources;
let registry: FunctionRegistry;
let notices: StoreNotice[];
/** What a start waits for. */
let troubles: (string | null)[];
let code: Set<string>;
let blobs: Map<string, Uint8Array>;

/** A pool manager begins, as far as functions are concerned. */
async function start(): Promise<void> {
  store?.close();
  notices = [];
  troubles = [];
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
    patiently: (work) => withRetries(work, { stop: new AbortController().signal, onTrouble: (message) => troubles.push(message) }),
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
const spec = (more: FunctionResourceSpec = {}): FunctionResourceSpec => ({ code: { digest: LAYER }, ...more });
const declare = (name: string, more: FunctionResourceSpec = {}) => server.patch(`${PATH}/${name}`, "apply", { metadata: {}, spec: spec(more) });
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

describe("a function whose resource was deleted, and is held by finalizers", () => {
  const hold = (name: string) => server.patch(`${PATH}/${name}`, "merge", { metadata: { finalizers: ["argocd.argoproj.io/x"] } });
  const deploy = (name: string) => registry.deploy(name, () => parseManifest({ concurrency: 2 }, ["node"]), { layer: LAYER, entry: "index.mjs" });

  beforeEach(async () => {
    await hold("a");
    await server.delete(`${PATH}/a`);
    await soon();
  });

  test("is served until it is gone, also by the next leader, and says what holds it", async () => {
    expect([names(), registry.endingOf("a"), registry.endingOf("b")]).toEqual([["a", "b"], ["argocd.argoproj.io/x"], null]);
    await start();
    expect(names()).toEqual(["a", "b"]);
    server.letGo(`${PATH}/a`);
    await soon();
    expect([names(), registry.endingOf("a")]).toEqual([["b"], null]);
  });

  test("takes nothing in that would go with it, and keeps what it has", async () => {
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

  test("is noticed by the answer where its deletion was not heard of yet", async () => {
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
    const { parseManifest } = await import("../../../../../pool-manager/functions/manifest/manifest.ts");
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
    const { parseManifest, patchManifest } = await import("../../../../../pool-manager/functions/manifest/manifest.ts");
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
    const change = (patch: object) => registry.deploy("c", (current) => patchManifest(patch, ["node"], current as InForce));
    const kept = change({ minScale: 1 });
    await expect(kept).rejects.toMatchObject({ code: "SECRETS_LOST", message: "the values of secrets of c are lost: TOKEN" });
    await expect(change({ secrets: { OTHER: "o" } })).rejects.toMatchObject({ code: "SECRETS_LOST" });
    await change({ secrets: { TOKEN: "t" } });
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

describe("a start", () => {
  const refusable = [`GET ${DEFINITIONS}`, `GET ${SECRETS}`, `GET ${PATH}`];
  test.each([429, 500, 503, 403].flatMap((status) => refusable.map((what) => [status, what] as const)))(
    "goes on after %i to %s for a moment",
    async (status, what) => {
      store.close();
      server.refusals.set(what, status);
      const started = start();
      await vi.advanceTimersByTimeAsync(1500);
      server.refusals.clear();
      await vi.advanceTimersByTimeAsync(5000);
      await started;
      expect(names()).toEqual(["a", "b"]);
    },
  );

  test.each([`GET ${SECRETS}`, `GET ${PATH}`])("ends with the reason where %s is refused for longer", async (what) => {
    store.close();
    server.refusals.set(what, 403);
    const ended = start().catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(6000);
    expect(await ended).toMatch(/is refused \(tried for \d s\)/);
  });

  test("tells what it waits for, and that it is there", async () => {
    store.close();
    const listing: string[] = [];
    server.onListing = (plural, message) => listing.push(`${plural}: ${message}`);
    for (const what of [`GET ${SECRETS}`, `GET ${PATH}`]) {
      server.refusals.set(what, 403);
      const started = start();
      await vi.advanceTimersByTimeAsync(1000);
      server.refusals.clear();
      await vi.advanceTimersByTimeAsync(5000);
      await started;
      store.close();
      if (what.endsWith("secrets")) expect(troubles).toEqual([`${what} is refused; it is tried again`, null]);
    }
    expect(listing).toEqual([`functions: GET ${PATH} is refused; it is tried again`, "functions: null"]);
  });
});

describe("a kept Secret that somebody has damaged", () => {
  const kept = async (name: string) => {
    const { parseManifest } = await import("../../../../../pool-manager/functions/manifest/manifest.ts");
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

  test("is not written where nothing differs", async () => {
    const path = await kept("c");
    const version = () => server.objects.get(path)?.metadata.resourceVersion;
    const before = version();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(version()).toBe(before);
  });
});

test("a look at kept Secrets or at those that functions name that fails is told, and does not end the others", async () => {
  const { parseManifest } = await import("../../../../../pool-manager/functions/manifest/manifest.ts");
  await registry.deploy("c", () => parseManifest({ secrets: { TOKEN: "t" } }, ["node"]), { layer: LAYER, entry: "index.mjs" });
  server.refusals.set(`GET ${SECRETS}`, 500);
  await vi.advanceTimersByTimeAsync(35_000);
  server.refusals.clear();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(topics()).toEqual(["failing 1", "failing 0"]);
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

  test("again and again is written again with pauses, and told once until it was quiet for a while", async () => {
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

  test("is written from the record by a report too", async () => {
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

  test("and is of a later term is left to the later leader", async () => {
    await edit("a", { active: "r1", term: 2 });
    await seconds(60);
    expect([resource("a")?.status?.active, topics()]).toEqual(["r1", []]);
    // It is fenced off by what it has to write, which has it let go of the Lease.
    await expect(store.report("a", 1, idle)).rejects.toMatchObject({ reason: "Fenced" });
  });

  test("while a change is written is no reason to write the former record", async () => {
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

  test("that was written though no answer came is settled by what the spec declares", async () => {
    const replace = server.replace.bind(server);
    vi.spyOn(server, "replace").mockImplementationOnce(async (path: string, body: unknown) => {
      await replace(path, body);
      throw new Error("no answer");
    });
    await declare("a", { env: { X: "2" } });
    await seconds(30);
    expect([registry.get("a").active, resource("a")?.status?.active]).toEqual(["r3", "r3"]);
  });

  test("and cannot be written again now is told, and written when it can be", async () => {
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

  test("is held where the API server refuses what Berth writes of it, and taken in when it no longer does", async () => {
    await server.create(SECRETS, { metadata: { name: "token" }, data: { X: Buffer.from("1").toString("base64") } });
    server.refusals.set(`PATCH ${SECRETS}/berth-fn-`, 422);
    await declare("s", { secretRef: "token" });
    await soon();
    expect([accepted("s")?.status, accepted("s")?.reason]).toEqual(["False", "FIELD_OWNED"]);
    server.refusals.clear();
    await vi.advanceTimersByTimeAsync(70_000);
    expect([accepted("s")?.status, names()]).toEqual(["True", ["a", "b", "s"]]);
  });

  test.each(["../functions/a", "token?watch=true", "a b", "Token", "x/../y", "a..b"])(
    "is what names %j as its Secret: no Secret has such a name, and none is asked for",
    async (secretRef) => {
      const asked = vi.spyOn(server, "get");
      await declare("s", { secretRef });
      await vi.advanceTimersByTimeAsync(30_000);
      expect(accepted("s")?.reason).toBe("SECRET_NOT_FOUND");
      expect(asked.mock.calls.filter(([path]) => path.startsWith(`${SECRETS}/`))).toEqual([]);
    },
  );

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
  const { parseManifest } = await import("../../../../../pool-manager/functions/manifest/manifest.ts");
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
