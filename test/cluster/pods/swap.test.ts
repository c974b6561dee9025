import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UpOptions } from "../../../cli/up.ts";
import type { ContainerStatus, Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

/** Remembers in the volume that it was there, and tells what it finds. */
const KEEPER = `import { appendFileSync, readFileSync } from "node:fs";
appendFileSync("/berth/run/home/kept", process.env.REV + " ");
export default { fetch: () => new Response(process.env.REV + " finds " + readFileSync("/berth/run/home/kept", "utf8").trim()) };`;

type Status = ContainerStatus & { containerID?: string };

function runtimeOf(pod: Pod | undefined): Status | undefined {
  return pod?.status.containerStatuses?.find(({ name }) => name === "runtime") as Status | undefined;
}

const codeImage = (pod: Pod | undefined) => pod?.spec.containers.find(({ name }) => name === "code")?.image;

describe.each(["inline", "image"] as const satisfies UpOptions["loadPath"][])("load path %s", (loadPath) => {
  let cluster: ClusterBerth;
  beforeAll(async () => {
    cluster = await ClusterBerth.start({ poolSize: 2, loadPath });
  });
  afterAll(() => cluster.finish());

  test("a claim and a new revision swap the code image in place: address, uid, volume and runtime container stay", async () => {
    const { berth, view } = cluster;
    const before = await view.pods();
    await berth.deploy("keeper", KEEPER, { env: { REV: "1" } });
    expect(await cluster.text("keeper")).toBe("200 1 finds 1");
    await cluster.bound("keeper");
    const { uid } = await cluster.warm("keeper");
    const pooled = before.find(({ metadata }) => metadata.uid === uid);
    const claimed = await view.pod(uid);
    expect(pooled, "it was a pod of the pool").toBeDefined();
    expect(claimed?.status.podIP).toBe(pooled?.status.podIP);
    expect(codeImage(claimed)).not.toBe(codeImage(pooled));
    await berth.deploy("keeper", KEEPER, { env: { REV: "2" } });
    expect(await cluster.text("keeper")).toBe("200 2 finds 1 2");
    await until(async () => codeImage(await view.pod(uid)) !== codeImage(claimed), "the second image is bound");
    await until(async () => (await view.pod(uid))?.status.containerStatuses?.every(({ state }) => state?.running !== undefined) ?? false, "it runs");
    const after = await view.pod(uid);
    expect((await cluster.warm("keeper")).uid).toBe(uid);
    expect(after?.status.podIP).toBe(pooled?.status.podIP);
    expect(runtimeOf(after)?.containerID).toBe(runtimeOf(pooled)?.containerID);
    expect([runtimeOf(after)?.restartCount, after?.metadata.name]).toEqual([0, pooled?.metadata.name]);
  });

  test("the time of its loads is told apart", async () => {
    const metrics = await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`berth_start_phase_seconds_count\\{phase="load",kind="prewarmed",path="${loadPath}"\\} [1-9]`));
  });

  test("a function's own CloneSet counts its pods, and its release ends at partition 0", async () => {
    await until(() => cluster.view.balanced(), "replicas are the live pods");
    await until(async () => (await cluster.view.functionSets()).every(({ spec }) => spec.updateStrategy?.partition === 0), "the release is over", 15_000);
  });
});

describe("an image that is missing", () => {
  test("leaves a function that was loaded inline serving, and says why", async () => {
    const cluster = await ClusterBerth.start({ poolSize: 1 });
    try {
      await cluster.berth.deploy("lost", "export default { fetch: () => new Response('here') };");
      await cluster.removeImage();
      expect(await cluster.text("lost")).toBe("200 here");
      await cluster.bound("lost");
      const { uid } = await cluster.warm("lost");
      const waiting = async () => (await cluster.view.pod(uid))?.status.containerStatuses?.find(({ name }) => name === "code")?.state?.waiting?.reason ?? "";
      await until(async () => /ErrImagePull|ImagePullBackOff/.test(await waiting()), "the pull fails");
      await until(
        async () => /berth_swap_failures_total\{pool="node"\} 1/.test(await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text()),
        "it is counted",
      );
      for (let i = 0; i < 20; i++) expect(await cluster.text("lost")).toBe("200 here");
      expect((await cluster.warm("lost")).uid).toBe(uid);
      await cluster.berth.deploy("lost", "export default { fetch: () => new Response('found') };");
      expect(await cluster.text("lost")).toBe("200 found");
      await until(async () => (await waiting()) === "", "the next revision's image runs");
      expect((await cluster.warm("lost")).uid).toBe(uid);
    } finally {
      await cluster.finish();
    }
  });

  test("ends an invocation that waits for the image by itself at loadTimeout, and the instance is replaced", async () => {
    const cluster = await ClusterBerth.start({ poolSize: 1, loadPath: "image" });
    try {
      await cluster.berth.deploy("lost", "export default { fetch: () => new Response('here') };", { loadTimeout: "4s" });
      await cluster.removeImage();
      expect(await cluster.text("lost")).toMatch(/^504 .*FUNCTION_LOAD_TIMEOUT/);
      await until(async () => !(await cluster.berth.instances()).some((instance) => instance.function === "lost"), "its instance is gone");
    } finally {
      await cluster.finish();
    }
  });
});
