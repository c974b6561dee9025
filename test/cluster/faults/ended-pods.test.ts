import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CloneSet, LABEL } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const HELLO = "export default { fetch: () => new Response('hello') };";

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 3 });
});
afterAll(() => cluster.finish());
beforeEach(() => cluster.berth.prewarmed(3));

describe("a pod that ends", () => {
  test("is replaced when somebody deletes it", async () => {
    await cluster.berth.deploy("deleted", HELLO);
    await cluster.text("deleted");
    await cluster.bound("deleted");
    const { uid } = await cluster.warm("deleted");
    await cluster.view.deletePod((await cluster.view.pod(uid))?.metadata.name ?? "", 0);
    await until(async () => (await cluster.findWarm("deleted")) === undefined, "it is seen");
    expect(await cluster.text("deleted")).toBe("200 hello");
    expect((await cluster.warm("deleted")).uid).not.toBe(uid);
    await until(() => cluster.view.balanced(), "the deficit is healed", 8000);
  });

  test("is replaced when its function is killed for memory", async () => {
    const source =
      "export default { fetch(r) { if (r.url.endsWith('/ok')) return new Response('ok'); const kept = []; for (;;) kept.push(Buffer.alloc(16 * 2 ** 20, 1)); } };";
    await cluster.berth.deploy("hungry", source);
    expect(await cluster.text("hungry", "/ok")).toBe("200 ok");
    // Version 2 of cgroups ends the whole container, so that nobody is left to say why.
    expect(await cluster.text("hungry")).toMatch(/^502 .*(OUT_OF_MEMORY|FUNCTION_CRASHED)/);
    expect(await cluster.text("hungry", "/ok")).toBe("200 ok");
  });

  // I1
  test("is never used again when its runtime container was restarted", async () => {
    await cluster.berth.deploy("restarted", HELLO);
    await cluster.text("restarted");
    const { uid } = await cluster.warm("restarted");
    const supervisor = execFileSync("pgrep", ["-f", "/opt/berth/supervisor.cjs"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .find((pid) => environment(pid).includes(uid));
    process.kill(Number(supervisor), "SIGKILL");
    await until(async () => (await cluster.findWarm("restarted"))?.uid !== uid, "it is out of service");
    expect(await cluster.text("restarted")).toBe("200 hello");
    await until(async () => !(await cluster.berth.instances()).some((instance) => instance.uid === uid), "it is gone");
  });
});

describe("CloneSets that somebody edits", () => {
  test("more replicas make no pod, and are corrected", async () => {
    await cluster.berth.deploy("edited", HELLO);
    await cluster.text("edited");
    await cluster.bound("edited");
    const { uid } = (await cluster.berth.api.get("/v1/functions/edited")) as { uid: string };
    const name = `fn-${uid}`;
    await cluster.view.editSet(name, { spec: { replicas: 4 } });
    await sleep(2000);
    expect((await cluster.view.functionPods()).filter(({ metadata }) => metadata.labels?.["berth.dev/function"] === uid)).toHaveLength(1);
    await until(() => cluster.view.balanced(), "replicas are the live pods again", 8000);
    expect(await cluster.text("edited")).toBe("200 hello");
  });

  test("another template is put back, and new pods are as they should be", async () => {
    const isPools = ({ metadata }: { metadata: { labels?: Record<string, string> } }) => metadata.labels?.[LABEL.function] === undefined;
    const set = async () => (await cluster.view.sets()).find(isPools) as CloneSet;
    const images = async () => (await set()).spec.template.spec.containers.map(({ image }) => image);
    const before = await images();
    const { metadata, spec } = await set();
    const containers = spec.template.spec.containers.map((one) => ({ ...one, image: "nobody/knows:this" }));
    await cluster.view.editSet(metadata.name, { spec: { template: { spec: { containers } } } });
    await until(async () => JSON.stringify(await images()) === JSON.stringify(before), "it is put back", 8000);
    const [pod] = (await cluster.view.instancePods()).filter(isPools);
    await cluster.view.deletePod(pod?.metadata.name ?? "", 0);
    await until(async () => !(await cluster.view.pod(pod?.metadata.uid)), "one is gone");
    await cluster.berth.prewarmed(3);
  });
});

test("a pool whose CloneSet counts more pods than it has, as claims leave it, gets smaller all the same", async () => {
  const ofPool = async () => (await cluster.view.instancePods()).filter(({ metadata }) => !metadata.labels?.[LABEL.function]).length;
  const [set] = (await cluster.view.sets()).filter(({ metadata }) => !metadata.labels?.[LABEL.function]);
  await cluster.view.editSet(set?.metadata.name ?? "", { spec: { replicas: 5 } });
  await cluster.berth.api.call("PATCH", "/v1/pools/node", { size: 2 });
  try {
    await until(async () => (await ofPool()) === 2, "one has gone", 3000);
  } finally {
    await cluster.berth.api.call("PATCH", "/v1/pools/node", { size: 3 });
  }
});

function environment(pid: string): string {
  try {
    return execFileSync("cat", [`/proc/${pid}/environ`], { encoding: "latin1" });
  } catch {
    return "";
  }
}
