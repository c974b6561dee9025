import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeClient } from "../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../pool-manager/kubernetes/error.ts";
import type { KubeObject } from "../../pool-manager/kubernetes/objects.ts";
import type { CloneSet } from "../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../helpers/berth.ts";

export interface Subject {
  kube: KubeClient;
  close(): Promise<void>;
}

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

interface Event {
  type: string;
  object: ConfigMap & { code?: number; reason?: string };
}

/** What the API answers to what Berth asks, in the words that Berth reads: the same in memory and on a real cluster. */
export function kubernetesConformance(name: string, start: () => Promise<Subject>): void {
  let subject: Subject;
  let count = 0;
  const kube = () => subject.kube;
  const maps = () => `/api/v1/namespaces/${kube().namespace}/configmaps`;
  const leases = () => `/apis/coordination.k8s.io/v1/namespaces/${kube().namespace}/leases`;
  const sets = () => `/apis/apps.kruise.io/v1alpha1/namespaces/${kube().namespace}/clonesets`;
  const fresh = () => `o${count++}`;
  const make = (data: Record<string, string> = {}, labels: Record<string, string> = {}, of = fresh()) =>
    kube().create<ConfigMap>(maps(), { metadata: { name: of, labels }, data });
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => "accepted",
      ({ status, reason, message }: KubeError) => `${status} ${reason}: ${message}`,
    );
  const cloneSet = (of: string, more: object = {}) => ({
    apiVersion: "apps.kruise.io/v1alpha1",
    kind: "CloneSet",
    metadata: { name: of },
    spec: {
      replicas: 0,
      selector: { matchLabels: { a: of } },
      template: { metadata: { labels: { a: of } }, spec: { containers: [{ name: "c", image: "i:1" }] } },
      ...more,
    },
  });

  async function watched(query: Record<string, string>, body: () => Promise<void>, enough: (events: Event[]) => boolean): Promise<Event[]> {
    const events: Event[] = [];
    const end = kube().stream(
      maps(),
      { watch: "true", ...query },
      (line) => events.push(JSON.parse(line) as Event),
      () => {},
    );
    try {
      await body();
      await until(() => enough(events), `of the watch ${JSON.stringify(query)}`);
      return events;
    } finally {
      end();
    }
  }

  describe(`the Kubernetes API: ${name}`, () => {
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(() => subject.close());

    test("what is created has a uid, a version and a time, and is read back", async () => {
      const made = await make({ x: "1" });
      expect(made).toMatchObject({ kind: "ConfigMap", metadata: { namespace: kube().namespace }, data: { x: "1" } });
      expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(await kube().get(`${maps()}/${made.metadata.name}`)).toEqual(made);
    });

    test("refusals of what is missing, there already, unknown, or in no namespace", async () => {
      const { metadata } = await make();
      expect(await refusal(kube().get(`${maps()}/none`))).toBe('404 NotFound: configmaps "none" not found');
      expect(await refusal(make({}, {}, metadata.name))).toBe(`409 AlreadyExists: configmaps "${metadata.name}" already exists`);
      expect(await refusal(kube().get("/apis/nothing.dev/v1/things"))).toBe("404 : 404 page not found\n");
      expect(await refusal(kube().create("/api/v1/namespaces/no-such/configmaps", { metadata: { name: "a" } }))).toBe(
        '404 NotFound: namespaces "no-such" not found',
      );
    });

    test("a replacement needs the version that it was made of; without one, where the kind asks for it, it is refused", async () => {
      const lease = await kube().create<KubeObject>(leases(), { metadata: { name: fresh() }, spec: { leaseTransitions: 0 } });
      const path = `${leases()}/${lease.metadata.name}`;
      const replaced = await kube().replace<KubeObject>(path, { ...lease, spec: { leaseTransitions: 1 } });
      expect(Number(replaced.metadata.resourceVersion)).toBeGreaterThan(Number(lease.metadata.resourceVersion));
      const modified = "the object has been modified; please apply your changes to the latest version and try again";
      expect(await refusal(kube().replace(path, lease))).toBe(
        `409 Conflict: Operation cannot be fulfilled on leases.coordination.k8s.io "${lease.metadata.name}": ${modified}`,
      );
      expect(await refusal(kube().replace(path, { metadata: { name: lease.metadata.name }, spec: {} }))).toBe(
        `422 Invalid: leases.coordination.k8s.io "${lease.metadata.name}" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
      );
    });

    test("a replacement of what was deleted is a conflict of uids", async () => {
      const lease = await kube().create<KubeObject>(leases(), { metadata: { name: fresh() }, spec: { leaseTransitions: 0 } });
      const path = `${leases()}/${lease.metadata.name}`;
      expect(await kube().delete(path)).toMatchObject({ kind: "Status", status: "Success", details: { uid: lease.metadata.uid } });
      expect(await refusal(kube().replace(path, lease))).toContain("409 Conflict: Operation cannot be fulfilled on leases.coordination.k8s.io");
      expect(await refusal(kube().replace(path, lease))).toContain(`Precondition failed: UID in precondition: ${lease.metadata.uid}, UID in object meta: `);
      expect(await refusal(kube().delete(path))).toBe(`404 NotFound: leases.coordination.k8s.io "${lease.metadata.name}" not found`);
    });

    test("a write that changes nothing has no new version", async () => {
      const made = await make({ x: "1" });
      const same = await kube().patch<ConfigMap>(`${maps()}/${made.metadata.name}`, "merge", { data: { x: "1" } });
      expect(same.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    });

    test("patches: merge, JSON with test, strategic; preconditions in any of them", async () => {
      const made = await make({ x: "1", y: "1" });
      const path = `${maps()}/${made.metadata.name}`;
      const merged = await kube().patch<ConfigMap>(path, "merge", { data: { y: null, z: "1" } });
      expect(merged.data).toEqual({ x: "1", z: "1" });
      const stepped = await kube().patch<ConfigMap>(path, "json", [
        { op: "test", path: "/data/x", value: "1" },
        { op: "replace", path: "/data/x", value: "2" },
        { op: "add", path: "/metadata/annotations", value: { "a.b/c": "1" } },
        { op: "replace", path: "/metadata/annotations/a.b~1c", value: "2" },
      ]);
      expect(stepped).toMatchObject({ data: { x: "2" }, metadata: { annotations: { "a.b/c": "2" } } });
      const failed = "422 Invalid: the server rejected our request due to an error in our request";
      expect(await refusal(kube().patch(path, "json", [{ op: "test", path: "/data/x", value: "1" }]))).toBe(failed);
      expect(await refusal(kube().patch(path, "json", [{ op: "replace", path: "/data/none/x", value: "1" }]))).toBe(failed);
      expect(await refusal(kube().patch(path, "json", [{ op: "test", path: "/data/none", value: "1" }]))).toBe(failed);
      expect(await refusal(kube().patch(path, "merge", { metadata: { uid: "xx" } }))).toBe(
        `422 Invalid: ConfigMap "${made.metadata.name}" is invalid: metadata.uid: Invalid value: "xx": field is immutable`,
      );
      expect(await refusal(kube().patch(path, "strategic-merge", { metadata: { uid: made.metadata.uid, resourceVersion: "1" }, data: { x: "3" } }))).toBe(
        `409 Conflict: Operation cannot be fulfilled on configmaps "${made.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
      );
    });

    test("a deletion's preconditions", async () => {
      const { metadata } = await make();
      const path = `${maps()}/${metadata.name}`;
      const why = (what: string) => `409 Conflict: Operation cannot be fulfilled on ConfigMap "${metadata.name}": the ${what}`;
      expect(await refusal(kube().delete(path, { preconditions: { uid: "no" } }))).toBe(
        why(`UID in the precondition (no) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`),
      );
      expect(await refusal(kube().delete(path, { preconditions: { resourceVersion: "1" } }))).toBe(
        why(
          `ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
        ),
      );
      await kube().delete(path, { preconditions: { uid: metadata.uid, resourceVersion: metadata.resourceVersion } });
    });

    test("what has a finalizer is deleted when that is taken away", async () => {
      const { metadata } = await make();
      const path = `${maps()}/${metadata.name}`;
      await kube().patch(path, "merge", { metadata: { finalizers: ["berth.dev/test"] } });
      await kube().delete(path);
      const held = await kube().get<ConfigMap>(path);
      expect(held.metadata.deletionTimestamp).toBeDefined();
      await kube().patch(path, "merge", { metadata: { finalizers: null } });
      expect(await refusal(kube().get(path))).toContain("404 NotFound");
    });

    test("lists by label in pages that are all of one moment", async () => {
      const label = fresh();
      const names = ["a", "b", "c"].map((one) => `${label}-${one}`);
      for (const one of names) await make({}, { group: label }, one);
      const query = { labelSelector: `group=${label},group in (${label}, x),!none`, limit: "2" };
      const first = await kube().get<List<ConfigMap>>(maps(), query);
      expect(first.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(0, 2));
      await kube().delete(`${maps()}/${names[2]}`);
      const second = await kube().get<List<ConfigMap>>(maps(), { ...query, continue: first.metadata.continue ?? "" });
      expect(second.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(2));
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      expect(second.metadata.continue).toBeUndefined();
    });

    test("a list of a version to come is refused after a while", async () => {
      const tooLarge = kube().get(maps(), { resourceVersion: "999999999" }, 10_000);
      expect(await refusal(tooLarge)).toMatch(/^504 Timeout: Timeout: Too large resource version: 999999999, current: \d+$/);
    });

    test("a watch tells of what begins to match, changes, ceases to match and is deleted", async () => {
      const label = fresh();
      const { metadata } = await kube().get<List<ConfigMap>>(maps());
      const query = { resourceVersion: metadata.resourceVersion, labelSelector: `w=${label}` };
      const [a, b] = [`${label}-a`, `${label}-b`];
      const events = await watched(
        query,
        async () => {
          await make({ x: "1" }, { w: label }, a);
          await make({ x: "1" }, {}, b);
          await kube().patch(`${maps()}/${a}`, "merge", { data: { x: "2" } });
          await kube().patch(`${maps()}/${b}`, "merge", { metadata: { labels: { w: label } } });
          await kube().patch(`${maps()}/${b}`, "merge", { metadata: { labels: { w: "other" } }, data: { x: "3" } });
          await kube().delete(`${maps()}/${a}`);
        },
        (seen) => seen.length >= 5,
      );
      expect(events.map(({ type, object }) => `${type} ${object.metadata.name} ${object.data?.x}`)).toEqual([
        `ADDED ${a} 1`,
        `MODIFIED ${a} 2`,
        `ADDED ${b} 1`,
        `DELETED ${b} 1`,
        `DELETED ${a} 2`,
      ]);
      const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
      expect(versions).toEqual([...versions].sort((x, y) => x - y));
    });

    test("a watch ends after its time, with a bookmark shortly before", async () => {
      const { metadata } = await kube().get<List<ConfigMap>>(maps());
      const query = { watch: "true", allowWatchBookmarks: "true", timeoutSeconds: "8", resourceVersion: metadata.resourceVersion };
      const events: Event[] = [];
      let ended = false;
      const end = () => {
        ended = true;
      };
      kube().stream(maps(), query, (line) => events.push(JSON.parse(line) as Event), end);
      await sleep(500);
      await make();
      await until(() => ended, "the watch has ended");
      const [first, ...rest] = events.map(({ type }) => type);
      // A server under load tells one twice within those seconds.
      expect([first, new Set(rest)]).toEqual(["ADDED", new Set(["BOOKMARK"])]);
      expect(Number(events[1]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(events[0]?.object.metadata.resourceVersion));
    });

    test("a watch from a version that is forgotten tells that it has expired", async () => {
      const events = await watched(
        { resourceVersion: "1" },
        async () => {},
        (seen) => seen.length > 0,
      );
      expect(events).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
    });

    test("a watch from no version begins with what there is", async () => {
      const label = fresh();
      await make({}, { v: label });
      const events = await watched(
        { labelSelector: `v=${label}` },
        async () => {},
        (seen) => seen.length > 0,
      );
      expect(events.map(({ type }) => type)).toEqual(["ADDED"]);
    });

    test("apply owns what it says, lets go of what it says no more, and is refused where others have said otherwise", async () => {
      const of = fresh();
      const path = `${maps()}/${of}`;
      const apply = (data: Record<string, string>, fieldManager: string, force = "false") =>
        kube().patch<ConfigMap>(path, "apply", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: of }, data }, "other", { fieldManager, force });
      await apply({ a: "1", b: "1" }, "one");
      await apply({ c: "1" }, "two");
      expect((await apply({ a: "1", c: "1" }, "one")).data).toEqual({ a: "1", c: "1" });
      expect((await apply({ a: "1" }, "one")).data).toEqual({ a: "1", c: "1" });
      expect(await refusal(apply({ a: "2" }, "two"))).toBe('409 Conflict: Apply failed with 1 conflict: conflict with "one": .data.a');
      const refused = await refusal(apply({ a: "2", c: "2" }, "three"));
      expect(refused).toContain("409 Conflict: Apply failed with 2 conflicts: ");
      for (const part of ['conflicts with "one":\n- .data.a', 'conflicts with "two":\n- .data.c']) expect(refused).toContain(part);
      const forced = await apply({ a: "2" }, "two", "true");
      expect(forced.data).toEqual({ a: "2" });
      const owners = forced.metadata.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`);
      expect(owners).toEqual(["two Apply"]);
      await kube().patch(path, "merge", { data: { a: "3" } });
      expect(await refusal(apply({ a: "2" }, "two"))).toContain('conflict with "berth" using v1: .data.a');
    });

    test("secrets take text, and keep it encoded", async () => {
      const path = `/api/v1/namespaces/${kube().namespace}/secrets`;
      const made = await kube().create<KubeObject & { data: Record<string, string> }>(path, { metadata: { name: fresh() }, stringData: { a: "text" } });
      expect(made.data).toEqual({ a: Buffer.from("text").toString("base64") });
      expect(made.metadata.generation).toBeUndefined();
    });

    test("of a custom resource the status is written on its own, and generations count the changes of the spec", async () => {
      const made = await kube().create<CloneSet>(sets(), cloneSet(fresh(), { updateStrategy: { paused: true } }));
      const path = `${sets()}/${made.metadata.name}`;
      expect(made.metadata.generation).toBe(1);
      const label = await kube().patch<CloneSet>(path, "merge", { metadata: { labels: { x: "1" } }, status: { replicas: 77 } });
      expect([label.metadata.generation, label.status?.replicas]).not.toContain(77);
      const spec = await kube().patch<CloneSet>(path, "merge", { spec: { updateStrategy: { partition: 5 } } });
      expect(spec.metadata.generation).toBe(2);
      expect(await refusal(kube().patch(path, "strategic-merge", { spec: { replicas: 0 } }))).toBe(
        "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
      );
      expect(await kube().get(`${path}/scale`)).toMatchObject({ kind: "Scale", spec: {} });
      expect(await kube().patch(`${path}/scale`, "merge", { spec: { replicas: 1 } })).toMatchObject({ kind: "Scale", spec: { replicas: 1 } });
      expect(await kube().get(path)).toMatchObject({ spec: { replicas: 1 } });
    });

    test("of a pod's spec hardly more than images may change", async () => {
      const path = `/api/v1/namespaces/${kube().namespace}/pods`;
      const spec = { nodeSelector: { "berth.dev/no": "node" }, containers: [{ name: "c", image: "i:1" }] };
      const made = await kube().create<KubeObject>(path, { metadata: { name: fresh() }, spec });
      const pod = `${path}/${made.metadata.name}`;
      expect(await kube().patch(pod, "strategic-merge", { spec: { containers: [{ name: "c", image: "i:2" }] } })).toMatchObject({
        spec: { containers: [{ name: "c", image: "i:2" }] },
      });
      expect(await refusal(kube().patch(pod, "merge", { spec: { nodeSelector: { other: "x" } } }))).toMatch(
        /^422 Invalid: Pod "o\d+" is invalid: spec: Forbidden: pod updates may not change fields other than/,
      );
      // It is on no node: there is nobody to ask for its log, nor to end it.
      expect(await kube().text(`${pod}/log`)).toBe("");
      await kube().delete(pod);
      expect(await refusal(kube().get(pod))).toContain("404 NotFound");
    });

    test("a kind is served as long as its definition is there; with that its objects go, and whoever watches them hears of each", async () => {
      const group = `g${Date.now().toString(36)}.berth.test`;
      const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      const schema = {
        type: "object",
        properties: {
          spec: { type: "object", properties: { size: { type: "integer", minimum: 0 }, name: { type: "string" } } },
          status: { type: "object", properties: { term: { type: "integer" } } },
        },
      };
      await kube().create(definitions, {
        metadata: { name: `things.${group}` },
        spec: {
          group,
          scope: "Namespaced",
          names: { kind: "Thing", plural: "things", singular: "thing", listKind: "ThingList" },
          versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema }, subresources: { status: {} } }],
        },
      });
      const path = `/apis/${group}/v1/namespaces/${kube().namespace}/things`;
      const isServed = () => kube().get(path).then(() => true, () => false); // biome-ignore format: one line
      await until(isServed, "it is served");
      const thing = (of: string, spec: object) => ({ apiVersion: `${group}/v1`, kind: "Thing", metadata: { name: of }, spec });
      const made = await kube().create<KubeObject>(path, thing("a", { size: 1, other: true }));
      expect(made).toMatchObject({ metadata: { generation: 1 }, spec: { size: 1 } });
      expect(made).not.toHaveProperty("spec.other");
      expect(await refusal(kube().create(path, thing("b", { size: -1 })))).toContain(
        `422 Invalid: Thing.${group} "b" is invalid: spec.size: Invalid value: -1: `,
      );
      expect(await refusal(kube().create(path, thing("b", { size: "x" })))).toContain(
        `422 Invalid: Thing.${group} "b" is invalid: spec.size: Invalid value: "`,
      );
      const reported = await kube().replace<KubeObject>(`${path}/a/status`, { ...made, spec: { size: 9 }, status: { term: 2, lost: 1 } });
      expect(reported).toMatchObject({ metadata: { generation: 1 }, spec: { size: 1 }, status: { term: 2 } });
      expect(reported).not.toHaveProperty("status.lost");
      const events: Event[] = [];
      let ended = false;
      const query = { watch: "true", resourceVersion: reported.metadata.resourceVersion };
      const end = () => {
        ended = true;
      };
      const close = kube().stream(path, query, (line) => events.push(JSON.parse(line) as Event), end);
      await sleep(300);
      await kube().delete(`${definitions}/things.${group}`);
      await until(async () => !(await isServed()), "it is not served any more");
      expect(await refusal(kube().get(path))).toBe("404 : 404 page not found\n");
      await until(() => events.length > 0, "the deletion is heard");
      expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(["DELETED a"]);
      await until(() => ended, "the watch ends");
      close();
    });

    test("rights can be asked for, and discovery tells what is served", async () => {
      const review = { spec: { resourceAttributes: { namespace: kube().namespace, group: "", resource: "pods", verb: "list" } } };
      expect(await kube().create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)).toMatchObject({ status: { allowed: true } });
      const { resources } = await kube().get<{ resources: { name: string }[] }>("/apis/apps.kruise.io/v1alpha1");
      expect(resources.map((resource) => resource.name)).toContain("clonesets");
      expect(await refusal(kube().get("/apis/nothing.dev/v1"))).toBe("404 : 404 page not found\n");
    });
  });
}
