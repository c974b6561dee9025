import { describe, expect, test } from "vitest";
import { changesOf } from "../../../../../../pool-manager/kubernetes/json-patch.ts";
import type { CloneSet } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

describe("the changes that restore everything that Berth put into a template", () => {
  const made = { a: 1, list: [{ name: "x", image: "x:1" }, { name: "y" }], drop: ["ALL"], "odd/~key": "v" };
  test.each<[string, unknown, string[]]>([
    ["the same", structuredClone(made), []],
    [
      "defaults and what others have put beside it",
      { ...made, b: 2, list: [{ name: "sidecar" }, ...made.list.map((one) => ({ ...one, policy: "Always" }))] },
      [],
    ],
    ["another value", { ...made, a: 2 }, ["replace /t/a 1"]],
    ["another value in an item that has moved", { ...made, list: [{ name: "y" }, { name: "x", image: "x:2" }] }, ['replace /t/list/1/image "x:1"']],
    ["one item less", { ...made, list: [{ name: "y" }] }, ['add /t/list/- {"name":"x","image":"x:1"}']],
    ["one field less", { a: 1, list: made.list, drop: ["ALL"] }, ['add /t/odd~1~0key "v"']],
    ["something of another kind", { ...made, list: null, drop: [] }, [`replace /t/list ${JSON.stringify(made.list)}`, 'add /t/drop/- "ALL"']],
  ])("%s", (_what, found, wanted) => {
    expect(changesOf(made, found, "/t").map(({ op, path, value }) => `${op} ${path} ${JSON.stringify(value)}`)).toEqual(wanted);
  });
});

/** A pool of one instance in virtual time, and the reports about its template. */
async function started(cluster: KruiseCluster, time: VirtualTime) {
  const told: string[] = [];
  const onTrouble = (step: string, message: string | null) => told.push(`${step.replace(/[0-9a-f]{8}$/, "HASH")}: ${message}`);
  const pool = await startedPlatform(cluster, onTrouble);
  const { platform } = pool;
  const prewarmed = () => pool.prewarmed().length;
  const grow = () => pool.grow(1);
  await grow();
  await time.reach(() => prewarmed() === 1, "one is prewarmed");
  const set = () => cluster.store.list("apps.kruise.io/clonesets")[0] as unknown as CloneSet;
  const edit = (change: object) =>
    cluster.at("PATCH", `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets/${set().metadata.name}`, { spec: { template: change } });
  const image = () => set().spec.template.spec.containers.find(({ name }) => name === "runtime")?.image;
  const withImage = (name: string) => ({
    spec: { containers: set().spec.template.spec.containers.map((one) => (one.name === "runtime" ? { ...one, image: name } : one)) },
  });
  return { platform, told, prewarmed, grow, edit, image, withImage };
}

test("an edit of the template of a pool's CloneSet is restored and reported, and new pods follow Berth's template", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, told, prewarmed, grow, edit, image, withImage } = await started(cluster, time);
    edit(withImage("junk:1"));
    await time.reach(() => image() === "runtime:1" && told.length === 2, "it is put back");
    expect(told).toEqual([
      "template of CloneSet pool-node-HASH: others have changed spec/template/spec/containers/0/image: it is put back",
      "template of CloneSet pool-node-HASH: null",
    ]);
    await grow();
    await time.reach(() => prewarmed() === 2, "a second one is prewarmed");
    await platform.close();
  }));

test("repeated edits are restored after growing pauses", () =>
  VirtualTime.run(2, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, told, edit, withImage } = await started(cluster, time);
    for (let second = 0; second < 600; second += 5) {
      edit(withImage(`junk:${second}`));
      await time.sleep(5000);
    }
    expect(told.length / 2).toBeGreaterThan(3);
    expect(told.length / 2).toBeLessThan(8);
    await platform.close();
  }));

test("a function's CloneSet of another version of Berth keeps what Kruise does not allow to change, and nothing is reported", () =>
  VirtualTime.run(3, async (time) => {
    const world = await WarmFunction.start(time, 1);
    const label = () => world.set("fn-")?.metadata.labels?.["berth.dev/template"];
    const present = label();
    const former = {
      metadata: { labels: { "berth.dev/template": "0badc0de" } },
      spec: { updateStrategy: { type: "ReCreate" }, template: { spec: { automountServiceAccountToken: true } } },
    };
    world.edit("fn-", former);
    world.edit("fn-", { spec: { updateStrategy: { type: "InPlaceOnly" } } });
    await time.reach(() => label() === present, "it is of the present version");
    await time.sleep(600_000);
    expect(world.told).toEqual([]);
    expect(world.set("fn-")?.spec.updateStrategy?.type).toBe("InPlaceOnly");
    await world.manager.stop();
  }));
