import { expect, test } from "vitest";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import type { CloneSet } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import type { ConformanceTools, Event } from "./tools.ts";

/** The particulars of Secrets, pods and custom resources, and the kinds that are served. */
export function kindsConformance({ kube, sets, fresh, refusal, cloneSet }: ConformanceTools): void {
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
    // The pod is on no node: no kubelet has its log or ends it.
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
    expect(await refusal(kube().create(path, thing("b", { size: "x" })))).toContain(`422 Invalid: Thing.${group} "b" is invalid: spec.size: Invalid value: "`);
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
}
