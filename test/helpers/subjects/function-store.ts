import { afterEach, beforeEach, vi } from "vitest";
import { ManagerError } from "../../../pool-manager/errors.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { buildImage, digestOf } from "../../../pool-manager/images/oci.ts";
import { withRetries } from "../../../pool-manager/kubernetes/retry.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource, FunctionResourceSpec } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { FunctionResources } from "../../../pool-manager/stores/kubernetes/function-resources.ts";
import type { StoreNotice } from "../../../pool-manager/stores/kubernetes/notices.ts";
import { ResourceServer } from "../servers/resource-server.ts";

export const LAYER = `sha256:${"1".repeat(64)}`;
export const PATH = `${RESOURCES}/namespaces/n/functions`;
export const SECRETS = "/api/v1/namespaces/n/secrets";

export let server: ResourceServer;
export let store: FunctionResources;
export let registry: FunctionRegistry;
export let notices: StoreNotice[];
/** The parts that a start waits for. */
export let troubles: (string | null)[];
export let code: Set<string>;
export let blobs: Map<string, Uint8Array>;

/** A pool manager begins, as far as functions are concerned. */
export async function start(): Promise<void> {
  store?.close();
  notices = [];
  troubles = [];
  store = new FunctionResources({
    kube: server,
    term: 1,
    runtimes: ["node"],
    bounds: null,
    code: async (layer) => {
      if (!code.has(layer)) throw new ManagerError("CODE_UNKNOWN", "nobody has it");
      return { layer, entry: "index.mjs" };
    },
    upload: async () => ({ layer: LAYER, entry: "index.mjs" }),
    takeImage: async (image) => ({ image, code: { layer: LAYER, entry: "index.mjs" }, args: [] }),
    blob: async (digest) => blobs.get(digest) ?? Promise.reject(new Error("no blob")),
    notice: (notice) => notices.push(notice),
    patiently: (work) => withRetries(work, { stop: new AbortController().signal, onTrouble: (message) => troubles.push(message) }),
  });
  registry = new FunctionRegistry(store, build, () => {});
  await registry.load();
  store.follow({ declared: (declaration) => registry.declare(declaration), withdrawn: (name) => registry.withdraw(name) });
  await soon();
}

export async function build(name: string, revision: string, identity: string, layer: string): Promise<string> {
  const labels = { "dev.berth.identity": identity, "dev.berth.function": name, "dev.berth.revision": revision };
  const image = buildImage({ layers: [{ digest: layer, size: 1 }], entrypoint: ["/entry"], labels, architecture: "amd64" });
  for (const blob of [image.config, image.manifest]) blobs.set(digestOf(blob), blob);
  return digestOf(image.manifest);
}

export const soon = () => vi.advanceTimersByTimeAsync(500);
export const spec = (more: FunctionResourceSpec = {}): FunctionResourceSpec => ({ code: { digest: LAYER }, ...more });
export const declare = (name: string, more: FunctionResourceSpec = {}) => server.patch(`${PATH}/${name}`, "apply", { metadata: {}, spec: spec(more) });
export const resource = (name: string) => server.objects.get(`${PATH}/${name}`) as FunctionResource | undefined;
export const accepted = (name: string) => resource(name)?.status?.conditions?.find(({ type }) => type === "Accepted");
export const names = () => registry.list().map(({ name }) => name);
export const topics = () => notices.map(({ topic, count }) => `${topic} ${count}`);

/** The status is lost, as after a restore from a backup that contains only specs. */
export function recreate(name: string): void {
  const { spec: declared } = resource(name) as FunctionResource;
  server.objects.delete(`${PATH}/${name}`);
  server.objects.set(`${PATH}/${name}`, {
    metadata: { name, uid: `again-${name}`, resourceVersion: String(++server.version), generation: 1, creationTimestamp: "2026-02-02T00:00:00Z" },
    spec: declared,
  });
}

/** Gives each test of a file a store of its own, which has ingested the functions `a` and `b`. */
export function eachWithFunctions(): void {
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
}
