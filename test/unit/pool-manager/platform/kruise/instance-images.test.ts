import { afterAll, beforeAll, expect, test } from "vitest";
import { buildImage, digestOf } from "../../../../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../../../../pool-manager/images/registry.ts";
import { pushImage } from "../../../../../pool-manager/images/runtime-image.ts";
import { knownImages } from "../../../../../pool-manager/platform/kruise/instance-images.ts";
import { MemoryRegistry } from "../../../../helpers/servers/memory-registry.ts";

let server: MemoryRegistry;
let registry: RegistryClient;

beforeAll(async () => {
  server = await MemoryRegistry.start();
  registry = new RegistryClient({ registry: `${server.host}/team`, login: async () => null, insecure: false });
});
afterAll(() => server.close());

async function push(labels: Record<string, string>): Promise<string> {
  const layer = Buffer.from("layer");
  const digest = digestOf(layer);
  const built = buildImage({ layers: [{ digest, size: layer.length }], entrypoint: [], labels, architecture: "amd64" });
  return pushImage(registry, "berth/runtime-python", { built, blobs: new Map([[digest, async () => layer]]) });
}

const given = (python: string | null) => ({ node: "n:1", idle: "i:1", python });

test("the version of Python is that of the image's label", async () => {
  const python = await push({ "dev.berth.python": "3.13" });
  expect(await knownImages(registry, given(python))).toEqual({ ...given(python), pythonVersion: "3.13" });
});

test.each([
  ["none is given", async () => null, /--python-image/],
  ["it has no label", () => push({}), /no label dev\.berth\.python/],
  ["it is elsewhere", async () => `other.example/p:1@sha256:${"0".repeat(64)}`, /not in the registry/],
  ["it is not named by digest", async () => `${server.host}/team/p:1`, /not named by digest/],
  ["the registry lacks it", async () => `${server.host}/team/p:1@sha256:${"0".repeat(64)}`, /has no p@sha256/],
])("the runtime is not offered, and everything else is, where %s", async (_why, image, reason) => {
  const found = await knownImages(registry, given(await image()));
  expect([found.node, found.python, found.pythonVersion]).toEqual(["n:1", null, { reason: expect.stringMatching(reason) }]);
});
