import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { packLayer } from "../../../../pool-manager/images/layer.ts";
import { buildImage, digestOf } from "../../../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../../../pool-manager/images/registry.ts";
import { buildIdleImage, librariesOf, pushImage } from "../../../../pool-manager/images/runtime-image.ts";

const ENTRY = resolve("runtime-images/entry/entry-linux-amd64");

/** Each pod's sandbox runs our entry program: there is nowhere to get another image from. `image`: `registry/repository:tag`. */
export async function pushPauseImage(registry: string, image: string): Promise<void> {
  const [repository = "", tag = ""] = image.slice(registry.length + 1).split(":");
  const client = new RegistryClient({ registry, login: async () => null, insecure: false });
  await pushImage(client, repository, await buildIdleImage(ENTRY), tag);
}

/** The machine's own Redis as an image; `label` makes another one of it. Returns its reference. */
export async function pushRedisImage(registry: string, label: string): Promise<string> {
  const program = "/usr/bin/redis-server";
  const paths = [program, ...(await librariesOf(program))];
  const files = await Promise.all(paths.map(async (path) => ({ path: path.slice(1), data: await readFile(path) })));
  const layer = await packLayer([...files, { path: "data/.keep", data: new Uint8Array() }], "", 0o755);
  const digest = digestOf(layer);
  const built = buildImage({ layers: [{ digest, size: layer.length }], entrypoint: [], labels: { label }, architecture: "amd64" });
  const client = new RegistryClient({ registry, login: async () => null, insecure: false });
  return pushImage(client, "berth/test-redis", { built, blobs: new Map([[digest, async () => layer]]) });
}
