import { randomBytes } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGo, programImage } from "../../../bench/cluster/program-image.ts";
import { bundleCustom } from "../../../cli/bundle/custom/bundle-custom.ts";
import { findCustomSource } from "../../../cli/bundle/custom/custom-source.ts";
import { type LayerFile, packLayer } from "../../../pool-manager/images/layer.ts";
import { digestOf, type ImageSpec } from "../../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../../pool-manager/images/registry.ts";
import { pushImage, type ReadableLayer } from "../../../pool-manager/images/runtime-image.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { clusterConfig } from "../subject/subject.ts";

const BUILD_MS = 300_000;
const TEST_MS = 120_000;

const SERVER = `package main
import ("fmt"; "net/http"; "os"; "time")
func main() {
	if os.Getenv("FAIL") == "exit" { fmt.Println("no database"); os.Exit(3) }
	port := os.Getenv("PORT")
	if os.Getenv("FAIL") == "port" { port = "9999" }
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/crash" { os.Exit(7) }
		if path := r.URL.Query().Get("size"); path != "" {
			if info, err := os.Stat(path); err == nil { fmt.Fprint(w, info.Size()) } else { fmt.Fprint(w, "none") }
			return
		}
		if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil { time.Sleep(wait) }
		fmt.Println("asked", os.Getenv("ANSWER"))
		fmt.Fprint(w, os.Getenv("ANSWER"))
	})
	fmt.Println(http.ListenAndServe(":"+port, nil))
}
`;

let cluster: ClusterBerth;
let server: Buffer;
let images: RegistryClient;

beforeAll(async () => {
  [cluster, server] = await Promise.all([ClusterBerth.start({ poolSize: 1 }), buildGo(SERVER)]);
  images = new RegistryClient({ registry: `${clusterConfig("").registry}/users`, login: async () => null, insecure: false });
}, BUILD_MS);
afterAll(() => cluster.finish());

const put = (name: string, manifest: object) => cluster.berth.api.call("PUT", `/v1/functions/${name}`, { runtime: "custom", ...manifest });

/** Pushes the server as an image from nothing; returns its reference by tag. */
async function push(tag: string, change: Partial<ImageSpec> = {}, below: ReadableLayer[] = []): Promise<{ reference: string; digest: string }> {
  const image = await programImage(server, change, below);
  const [reference = ""] = (await pushImage(images, cluster.namespace, image, tag)).split("@");
  return { reference, digest: image.built.digest };
}

/** A layer as registries mostly have them: compressed. */
async function compressed(files: LayerFile[]): Promise<ReadableLayer> {
  const tar = await packLayer(files, "", 0o755);
  const data = gzipSync(tar);
  return { layer: { digest: digestOf(data), size: data.length, diffId: digestOf(tar) }, read: async () => data };
}

async function upload(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  writeFileSync(join(dir, "server"), server, { mode: 0o755 });
  return cluster.berth.api.upload(await bundleCustom(findCustomSource(dir, "./server"), [], "amd64"));
}

/** The distinct answers to a steady load while `work` runs, up to the first that is `last`. */
async function answersDuring(name: string, last: string, work: () => Promise<unknown>): Promise<string[]> {
  const answers: string[] = [];
  let going = true;
  const loops = Array.from({ length: 3 }, async () => {
    while (going) answers.push(await cluster.text(name, "/?wait=20ms"));
  });
  await work();
  await until(async () => answers.at(-1) === last, `${name} answers ${last}`);
  going = false;
  await Promise.all(loops);
  return [...new Set(answers)];
}

describe("a command from a directory", () => {
  test("runs in a prewarmed pod, takes new revisions in place without a failed invocation, and survives its pod", { timeout: TEST_MS }, async () => {
    const code = await upload();
    await put("code", { code, command: "./server", env: { ANSWER: "one" } });
    expect(await cluster.text("code")).toBe("200 one");
    const [pod] = (await cluster.allWarm("code")).map(({ uid }) => uid);
    const answers = await answersDuring("code", "200 two", () => put("code", { code, command: "./server", env: { ANSWER: "two" } }));
    expect(answers).toEqual(["200 one", "200 two"]);
    expect((await cluster.allWarm("code")).map(({ uid }) => uid)).toContain(pod);
    // Before, nothing in the cluster says that the pod is a function's.
    await cluster.bound("code");
    for (const { metadata } of await cluster.view.functionPods()) await cluster.view.deletePod(metadata.name);
    await until(async () => (await cluster.view.pod(pod)) === undefined, "its pod is gone");
    expect(await cluster.text("code")).toBe("200 two");
  });

  test("that ends or listens elsewhere is refused with the reason, and the one before stays", { timeout: TEST_MS }, async () => {
    const code = await upload();
    const settings = { code, command: "./server", env: { ANSWER: "two" } };
    for (const [FAIL, reason] of [
      ["exit", /the command exited with code 3\nno database/],
      ["port", /the command does not listen on port \d+ \(\$PORT\) but on \[::\]:9999/],
    ] as const) {
      await put("code", { ...settings, env: { ...settings.env, FAIL }, loadTimeout: "3s", onceLoaded: true });
      await until(
        async () => (await cluster.berth.api.get<{ rolling: { state: string; reason: string } }>("/v1/functions/code")).rolling.state === "stopped",
        String(reason),
      );
      const { rolling } = await cluster.berth.api.get<{ rolling: { reason: string } }>("/v1/functions/code");
      expect(rolling.reason).toMatch(reason);
      expect(await cluster.text("code")).toBe("200 two");
    }
  });
});

describe("an image", () => {
  test("is swapped onto a prewarmed pod in place, and a new revision fails no invocation", { timeout: TEST_MS }, async () => {
    const { reference, digest } = await push("v1");
    const view = (await put("image", { image: reference, env: { ANSWER: "one" }, loadTimeout: "60s" })) as { image: string };
    expect(view.image).toBe(`${reference.replace(/:v1$/, "")}@${digest}`);
    expect(await cluster.text("image")).toBe("200 one");
    const one = await cluster.warm("image");
    const pod = await cluster.view.pod(one.uid);
    // It was created by the pool, and its address is still that.
    expect(pod?.metadata.name).toMatch(/^pool-custom-/);
    expect(one.address?.startsWith(`${pod?.status.podIP}:`)).toBe(true);
    const slow = cluster.text("image", "/?wait=2s");
    const answers = await answersDuring("image", "200 two", () =>
      put("image", { image: reference, env: { ANSWER: "two" }, loadTimeout: "60s", onceLoaded: true }),
    );
    expect([answers, await slow]).toEqual([["200 one", "200 two"], "200 one"]);
    await until(async () => (await cluster.view.pod(one.uid)) === undefined, "the pod of the retired revision is gone");
    const { items } = await cluster.berth.api.get<{ items: { message: string }[] }>("/v1/functions/image/logs");
    expect(items.map(({ message }) => message).join("\n")).toContain("asked two");
  });

  test("of several layers has the files of the upper ones, and another revision over the same layers", { timeout: TEST_MS }, async () => {
    const below = await Promise.all([
      compressed([
        { path: "data/large", data: randomBytes(40 * 2 ** 20) },
        { path: "data/changed", data: Buffer.from("old") },
        { path: "data/removed", data: Buffer.from("old") },
      ]),
      compressed([
        { path: "data/changed", data: Buffer.from("newer") },
        // The layer format's word for a removed file.
        { path: "data/.wh.removed", data: new Uint8Array() },
      ]),
    ]);
    const { reference } = await push("layers", {}, below);
    await put("layers", { image: reference, env: { ANSWER: "one" }, loadTimeout: "60s" });
    const sizes = async () => Promise.all(["large", "changed", "removed"].map((name) => cluster.text("layers", `/?size=/data/${name}`)));
    expect(await sizes()).toEqual([`200 ${40 * 2 ** 20}`, "200 5", "200 none"]);
    const { reference: other } = await push("more-layers", {}, [...below, await compressed([{ path: "data/changed", data: Buffer.from("newest") }])]);
    const answers = await answersDuring("layers", "200 two", () => put("layers", { image: other, env: { ANSWER: "two" }, onceLoaded: true }));
    expect(answers).toEqual(["200 one", "200 two"]);
    expect(await sizes()).toEqual([`200 ${40 * 2 ** 20}`, "200 6", "200 none"]);
  });

  test("is declared as a resource, and a rollout by steps ends with as many instances as before, without a failed invocation", {
    timeout: TEST_MS,
  }, async () => {
    const { reference, digest } = await push("v1");
    const apply = (ANSWER: string) => {
      const spec = { image: `${reference}@${digest}`, env: { ANSWER }, loadTimeout: "60s", minScale: 2, rollout: { steps: [1], interval: "1s" } };
      const body = { apiVersion: "berth.dev/v1alpha1", kind: "Function", metadata: { name: "declared" }, spec };
      const path = `${RESOURCES}/namespaces/${cluster.namespace}/functions/declared`;
      return cluster.view.kube.patch<FunctionResource>(path, "apply", body, "other", { fieldManager: "kubectl", force: "false" });
    };
    const warm = async () => (await cluster.allWarm("declared")).map(({ revision }) => revision);
    const state = async () => (await cluster.berth.api.get<{ rolling: { state: string } | null }>("/v1/functions/declared")).rolling?.state;
    await apply("one");
    await until(async () => (await warm()).length === 2, "two are kept");
    const answers = await answersDuring("declared", "200 two", async () => {
      await apply("two");
      await until(async () => (await state()) === "complete", "the rollout is complete");
    });
    expect(answers.sort()).toEqual(["200 one", "200 two"]);
    await until(async () => (await warm()).join() === "r2,r2", "two of the new revision are kept");
  });

  test("whose program ends is replaced, and one that does not start leaves the revision before", { timeout: TEST_MS }, async () => {
    const { reference } = await push("v1");
    expect(await cluster.text("image", "/crash")).toContain("the command exited with code 7");
    expect(await cluster.text("image")).toBe("200 two");
    await put("image", { image: reference, env: { ANSWER: "three", FAIL: "exit" }, loadTimeout: "60s", onceLoaded: true });
    await until(async () => (await cluster.berth.api.get<{ rolling: { state: string } }>("/v1/functions/image")).rolling.state === "stopped", "it is stopped");
    expect(await cluster.text("image")).toBe("200 two");
  });

  test("that pods cannot run is refused", { timeout: TEST_MS }, async () => {
    const arm = await push("arm", { architecture: "arm64" });
    const none = await push("none", { entrypoint: [] });
    const missing = `${arm.reference}-missing`;
    await expect(put("refused", { image: arm.reference })).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
    await expect(put("refused", { image: none.reference })).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
    await expect(put("refused", { image: missing })).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await put("named", { image: none.reference, command: ["/server"], env: { ANSWER: "named" }, loadTimeout: "60s" });
    expect(await cluster.text("named")).toBe("200 named");
  });
});
