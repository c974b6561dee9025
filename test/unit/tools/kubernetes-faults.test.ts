import { describe, expect, test } from "vitest";
import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { definitions } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { internalError, tooManyRequests } from "../../kubernetes/api/api-error.ts";
import { MemoryCluster } from "../../kubernetes/cluster.ts";
import { VirtualTime } from "../../kubernetes/virtual-time.ts";

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

interface World {
  time: VirtualTime;
  cluster: MemoryCluster;
  kube: KubeClient;
}

const PATH = "/api/v1/namespaces/berth/configmaps";
const map = (name: string, x = "1") => ({ metadata: { name }, data: { x } });
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => "accepted",
    ({ status, reason, message }: KubeError) => `${status} ${reason}: ${message}`,
  );

function inMemory<T>(body: (world: World) => Promise<T>): Promise<T> {
  return VirtualTime.run(1, async (time) => {
    const cluster = new MemoryCluster();
    return body({ time, cluster, kube: cluster.connect("manager") });
  });
}

/** Lines of a watch, as `type name`, and how it ended. */
function follow(kube: KubeClient, cluster: MemoryCluster, version = cluster.store.version): { lines: string[]; end(): string } {
  const lines: string[] = [];
  let ended = "open";
  kube.stream(
    PATH,
    { watch: "true", resourceVersion: String(version), allowWatchBookmarks: "true" },
    (line) => {
      const { type, object } = JSON.parse(line) as { type: string; object: KubeObject };
      lines.push(`${type} ${object.metadata.name ?? ""}`.trim());
    },
    (error) => {
      ended = error ? error.message : "ended";
    },
  );
  return { lines, end: () => ended };
}

describe("faults on the way to the API", () => {
  test("an answer takes some time, and time is virtual", () =>
    inMemory(async ({ time, kube }) => {
      const before = time.now();
      await kube.create(PATH, map("a"));
      expect(time.now() - before).toBeGreaterThan(0.5);
      expect(time.now() - before).toBeLessThan(10);
      await time.sleep(3_600_000);
      expect(time.now() - before).toBeGreaterThan(3_600_000);
    }));

  test("a refusal changes nothing, for the given number of requests", () =>
    inMemory(async ({ cluster, kube }) => {
      cluster.faults.add({ method: "POST", path: /configmaps$/ }, { kind: "refuse", error: tooManyRequests(7) }, 1);
      const error = (await kube.create(PATH, map("a")).catch((refused) => refused)) as KubeError;
      expect([error.status, error.reason, error.retryAfterMs]).toEqual([429, "TooManyRequests", 7000]);
      expect(cluster.store.get("/configmaps", "berth", "a")).toBeUndefined();
      await kube.create(PATH, map("a"));
    }));

  test("a fault is for its client alone", () =>
    inMemory(async ({ cluster, kube }) => {
      const end = cluster.faults.add({ client: "manager" }, { kind: "unreachable" });
      expect(await refusal(kube.get(PATH))).toBe("0 Unreachable: the API server does not answer: connect ECONNREFUSED");
      await cluster.connect("other").get(PATH);
      end();
      await kube.get(PATH);
    }));

  test("a hung request ends with its client's timeout, and is not carried out; a request whose answer is lost is", () =>
    inMemory(async ({ time, cluster, kube }) => {
      const before = time.now();
      cluster.faults.add({ method: "POST" }, { kind: "hang" }, 1);
      expect(await refusal(kube.create(PATH, map("a")))).toBe("0 Unreachable: the API server does not answer: no answer within 5000 ms");
      expect(time.now() - before).toBeCloseTo(5000, -1);
      expect(cluster.store.get("/configmaps", "berth", "a")).toBeUndefined();
      cluster.faults.add({ method: "POST" }, { kind: "lose" }, 1);
      expect(await refusal(kube.create(PATH, map("a")))).toContain("no answer within");
      expect(cluster.store.get("/configmaps", "berth", "a")).toBeDefined();
    }));

  test("a slow request is carried out late, or not at all once its client has given up", () =>
    inMemory(async ({ time, cluster, kube }) => {
      cluster.faults.add({ method: "POST" }, { kind: "slow", ms: 3000 }, 1);
      const before = time.now();
      await kube.create(PATH, map("a"));
      expect(time.now() - before).toBeGreaterThan(3000);
      cluster.faults.add({ method: "POST" }, { kind: "slow", ms: 9000 }, 1);
      expect(await refusal(kube.create(PATH, map("b")))).toContain("no answer within");
      await time.sleep(20_000);
      expect(cluster.store.get("/configmaps", "berth", "b")).toBeUndefined();
    }));

  test("a stale answer is that of an older version", () =>
    inMemory(async ({ cluster, kube }) => {
      await kube.create(PATH, map("a"));
      const { version } = cluster.store;
      await kube.patch(`${PATH}/a`, "merge", { data: { x: "2" } });
      await kube.create(PATH, map("b"));
      cluster.faults.add({ method: "GET" }, { kind: "stale", version });
      const list = await kube.get<{ metadata: { resourceVersion: string }; items: ConfigMap[] }>(PATH);
      expect([list.metadata.resourceVersion, list.items.map(({ data }) => data?.x)]).toEqual([String(version), ["1"]]);
      expect((await kube.get<ConfigMap>(`${PATH}/a`)).data?.x).toBe("1");
      expect(await refusal(kube.get(`${PATH}/b`))).toContain("404 NotFound");
    }));

  test("watches break off, or go silent, or are refused", () =>
    inMemory(async ({ time, cluster, kube }) => {
      const [cut, hushed] = [follow(kube, cluster), follow(kube, cluster)];
      await time.sleep(50);
      cluster.make(PATH, map("a"));
      await time.sleep(50);
      cluster.hushWatches();
      expect([cut.lines, hushed.lines]).toEqual([["ADDED a"], ["ADDED a"]]);
      const fresh = follow(kube, cluster);
      await time.sleep(50);
      cluster.make(PATH, map("b"));
      await time.sleep(600_000);
      expect([hushed.lines, hushed.end(), fresh.lines[0]]).toEqual([["ADDED a"], "open", "ADDED b"]);
      cluster.cutWatches();
      expect([cut.end(), fresh.end()]).toEqual(Array(2).fill("the API server does not answer: read ECONNRESET"));
      cluster.faults.add({ watch: true }, { kind: "refuse", error: internalError("etcd is away") });
      const refused = follow(kube, cluster);
      await time.sleep(50);
      expect(refused.end()).toBe("Internal error occurred: etcd is away");
    }));
});

describe("etcd from a backup", () => {
  test("resets objects and versions; a watch from a future version gets no event until the counter has passed it", () =>
    inMemory(async ({ time, cluster, kube }) => {
      cluster.make(PATH, map("a"));
      const backup = cluster.store.snapshot();
      const open = follow(kube, cluster);
      await time.sleep(50);
      for (const name of ["b", "c", "d"]) cluster.make(PATH, map(name));
      const { version } = cluster.store;
      cluster.store.restore(backup);
      await time.sleep(50);
      expect(open.end()).toBe("ended");
      const { items, metadata } = await kube.get<{ metadata: { resourceVersion: string }; items: ConfigMap[] }>(PATH);
      expect([items.map((item) => item.metadata.name), metadata.resourceVersion]).toEqual([["a"], String(backup.version)]);
      const late = follow(kube, cluster, version);
      await time.sleep(50);
      for (const name of ["e", "f", "g", "h"]) cluster.make(PATH, map(name));
      await time.sleep(50);
      // Three of them came under versions that the watch has seen, as it believes.
      expect(late.lines).toEqual(["ADDED h"]);
    }));

  test("forgets what was before: a watch or a page from there is refused with 410", () =>
    inMemory(async ({ time, cluster, kube }) => {
      for (const name of ["a", "b", "c"]) cluster.make(PATH, map(name));
      const { metadata } = await kube.get<{ metadata: { continue: string; resourceVersion: string } }>(PATH, { limit: "2" });
      cluster.make(PATH, map("d"));
      cluster.store.compact();
      expect(await refusal(kube.get(PATH, { limit: "2", continue: metadata.continue }))).toMatch(/^410 Expired: The provided continue parameter is too old/);
      const expired = follow(kube, cluster, Number(metadata.resourceVersion));
      await time.sleep(50);
      expect([expired.lines, expired.end()]).toEqual([["ERROR"], "ended"]);
    }));
});

describe("Berth's definitions", () => {
  const functions = "/apis/berth.dev/v1alpha1/namespaces/berth/functions";
  const named = (name: string, spec: object) => ({ apiVersion: "berth.dev/v1alpha1", kind: "Function", metadata: { name }, spec });
  const digest = `sha256:${"0".repeat(64)}`;

  test("have their rules and bounds enforced, and a later leader's term does not fall", () =>
    inMemory(async ({ cluster, kube }) => {
      expect(await refusal(kube.get(functions))).toBe("404 : 404 page not found\n");
      for (const definition of definitions() as { metadata: { name: string } }[]) {
        const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`;
        for (let i = 0; i < 2; i++) await kube.patch(path, "apply", definition, "other", { fieldManager: "berth", force: "true" });
      }
      expect(await refusal(kube.create(functions, named("f", {})))).toContain("give code or an image, and not both");
      expect(await refusal(kube.create(functions, named("f", { code: { digest }, image: `r.example.com/i@${digest}` })))).toContain("and not both");
      expect(await refusal(kube.create(functions, named("f", { code: { digest, files: {} } })))).toContain("give digest or files, and not both");
      expect(await refusal(kube.create(functions, named("f", { code: { digest }, minScale: 3, maxScale: 2 })))).toContain("minScale is above maxScale");
      const traffic = { split: { r1: 5 }, minScales: { r1: 3 } };
      expect(await refusal(kube.create(functions, named("f", { code: { digest }, traffic, maxScale: 2 })))).toContain("traffic.minScales is above maxScale");
      const made = await kube.create<KubeObject>(functions, named("f", { code: { digest }, unknown: 1 }));
      expect(made).toMatchObject({ spec: { code: { digest } } });
      expect(made).not.toHaveProperty("spec.unknown");
      const second = await kube.replace<KubeObject>(`${functions}/f/status`, { ...made, status: { term: 2 } });
      expect(await refusal(kube.replace(`${functions}/f/status`, { ...second, status: { term: 1 } }))).toContain("an older leader's write");
      expect(cluster.store.get("berth.dev/functions", "berth", "f")).toMatchObject({ status: { term: 2 } });
      // A person has typed this term: no leader ever reaches it.
      const typed = await kube.replace<KubeObject>(`${functions}/f/status`, { ...second, status: { term: 2_000_000_000 } });
      expect(await kube.replace(`${functions}/f/status`, { ...typed, status: { term: 3 } })).toMatchObject({ status: { term: 3 } });
    }));
});
