import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { type Change, Informer } from "../../../pool-manager/kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { clusterConfig, deleteNamespace, freshNamespace } from "../subject/subject.ts";

/** Lies between us and the API server: its connections can be cut, or go silent without being closed. */
class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #cut = false;

  constructor(target: URL) {
    this.#server = createServer((near) => {
      if (this.#cut) return void near.destroy();
      const far = connect(Number(target.port), target.hostname);
      const pair: [Socket, Socket] = [near, far];
      this.#pairs.add(pair);
      near.pipe(far).pipe(near);
      near.on("error", () => {}).on("close", () => far.destroy());
      far.on("error", () => {}).on("close", () => near.destroy());
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections break, and none is accepted until `mend`. */
  cut(): void {
    this.#cut = true;
    for (const [near] of this.#pairs) near.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  /** Keeps open connections open, and forwards nothing any more. */
  hush(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe();
      far.unpipe();
      for (const socket of [near, far]) socket.pause();
    }
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

let view: ClusterView;
let wire: Wire;
let kube: KubeClient;
let reflector: Informer<ConfigMap>;
let changes: Change<ConfigMap>[];

const path = () => `/api/v1/namespaces/${view.namespace}/configmaps`;
const create = (name: string) => view.kube.create(path(), { metadata: { name, labels: { watched: "yes" } }, data: {} });
const remove = (name: string) => view.kube.delete(`${path()}/${name}`);
const seen = () => [...reflector.all()].map(({ metadata }) => metadata.name).sort();

beforeEach(async () => {
  view = await ClusterView.open(freshNamespace());
  await view.kube.create("/api/v1/namespaces", { metadata: { name: view.namespace } });
  wire = new Wire(view.kube.server);
  const port = await wire.listen();
  const config = parse(readFileSync(clusterConfig("x").kubeconfig ?? "", "utf8")) as { clusters: { cluster: object }[] };
  // The server's certificate is not for the address of the wire.
  for (const entry of config.clusters) entry.cluster = { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
  const file = join(mkdtempSync(join(tmpdir(), "berth-test-")), "kubeconfig");
  writeFileSync(file, stringify(config));
  kube = await KubeClient.connect(file, view.namespace);
  changes = [];
  reflector = new Informer<ConfigMap>(kube, { path: path(), selector: "watched=yes", onChange: (change) => changes.push(change), watchSeconds: 4 });
  await create("a");
  await reflector.start();
});
afterEach(async () => {
  reflector.close();
  kube.close();
  wire.close();
  await deleteNamespace(view.namespace);
  view.close();
});

test("follows what is created, changed and deleted", async () => {
  expect(seen()).toEqual(["a"]);
  await create("b");
  await until(() => seen().join() === "a,b", "b is seen");
  await view.kube.patch(`${path()}/b`, "merge", { data: { x: "1" } });
  await until(() => reflector.get("b")?.data?.x === "1", "its change is seen");
  await remove("a");
  await until(() => seen().join() === "b", "the deletion is seen");
  expect(changes.filter(({ type }) => type === "deleted").map(({ object }) => object.metadata.name)).toEqual(["a"]);
});

test("keeps what it knows while the server is away, and then learns what it has missed", async () => {
  wire.cut();
  await create("b");
  await remove("a");
  await sleep(500);
  expect([seen(), reflector.synced]).toEqual([["a"], true]);
  wire.mend();
  await until(() => seen().join() === "b", "both changes are seen");
});

test("a connection that has gone silent is given up for another", async () => {
  await sleep(300);
  wire.hush();
  await create("b");
  await sleep(500);
  expect(seen()).toEqual(["a"]);
  await until(() => seen().join() === "a,b", "b is seen over another connection", 20_000);
});

test("a watch from a version that the server no longer has is followed by a new listing", async () => {
  wire.cut();
  await remove("a");
  await create("b");
  // A version that is older than the server's compaction is answered with 410.
  const { metadata } = await view.kube.get<{ metadata: { resourceVersion: string } }>(path());
  await compact(Number(metadata.resourceVersion));
  wire.mend();
  await until(() => seen().join() === "b", "the listing shows both");
  expect(changes.some(({ type, object }) => ["missing", "deleted"].includes(type) && object.metadata.name === "a")).toBe(true);
});

/** etcd forgets what was before this revision; the API server's cache of changes is emptied by many others. */
async function compact(revision: number): Promise<void> {
  for (let i = 0; i < 150; i++) await view.kube.patch(`${path()}/b`, "merge", { data: { x: String(i) } });
  await fetch("http://127.0.0.1:12379/v3/kv/compaction", { method: "POST", body: JSON.stringify({ revision: String(revision) }) });
}
