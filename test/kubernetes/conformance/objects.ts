import { expect, test } from "vitest";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import type { ConfigMap, ConformanceTools } from "./tools.ts";

/** Objects: how they are made, replaced, patched, applied and deleted. */
export function objectsConformance({ kube, maps, leases, fresh, make, refusal }: ConformanceTools): void {
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
}
