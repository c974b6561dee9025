import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { programImage } from "../../../../../bench/cluster/program-image.ts";
import { CodeImages } from "../../../../../pool-manager/images/code-images.ts";
import { ForeignImages } from "../../../../../pool-manager/images/foreign/foreign-images.ts";
import { OciLayout } from "../../../../../pool-manager/images/layout.ts";
import type { ImageSpec } from "../../../../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../../../../pool-manager/images/registry.ts";
import { pushImage } from "../../../../../pool-manager/images/runtime-image.ts";
import { MemoryRegistry } from "../../../../helpers/servers/memory-registry.ts";

let theirs: MemoryRegistry;
let own: MemoryRegistry;
let images: ForeignImages;
const clientOf = (host: string, path = "") => new RegistryClient({ registry: path ? `${host}/${path}` : host, login: async () => null, insecure: false });

beforeEach(async () => {
  [theirs, own] = await Promise.all([MemoryRegistry.start(), MemoryRegistry.start()]);
  images = new ForeignImages({ registry: clientOf(own.host), repository: "berth/code", clientOf });
});
afterEach(() => Promise.all([theirs.close(), own.close()]));

async function push(change: Partial<ImageSpec> = {}, tag = "v1"): Promise<{ reference: string; digest: string; layer: string }> {
  const image = await programImage(Buffer.from("program"), change);
  await pushImage(clientOf(theirs.host, "team"), "api", image, tag);
  const [layer = ""] = image.blobs.keys();
  return { reference: `${theirs.host}/team/api`, digest: image.built.digest, layer };
}

test("a tag is resolved to a digest, the layers are copied, and a later tag of the same name gives another image", async () => {
  const first = await push();
  const taken = await images.take(`${first.reference}:v1`);
  expect(taken).toMatchObject({ image: `${first.reference}@${first.digest}`, args: ["/server"], port: 8080 });
  expect((await clientOf(own.host).read("berth/code", first.layer)).length).toBeGreaterThan(0);
  const second = await push({ cmd: ["--again"] });
  expect((await images.take(`${first.reference}:v1`)).image).toBe(`${first.reference}@${second.digest}`);
  expect((await images.take(`${first.reference}@${first.digest}`)).args).toEqual(["/server"]);
});

test.each([
  ["a tag that does not exist", ":v2", null, "IMAGE_NOT_FOUND"],
  ["a registry that asks for a login", ":v1", 401, "IMAGE_FORBIDDEN"],
  ["a registry that forbids it", ":v1", 403, "IMAGE_FORBIDDEN"],
  ["a registry that is broken", ":v1", 503, "IMAGE_UNREACHABLE"],
])("%s", async (_what, version, away, code) => {
  const { reference } = await push();
  theirs.away = away;
  await expect(images.take(`${reference}${version}`)).rejects.toMatchObject({ code, field: "image" });
});

test("a registry of its own that does not take the layers, and then does", async () => {
  const { reference } = await push();
  own.away = 507;
  await expect(images.take(`${reference}:v1`)).rejects.toMatchObject({ code: "STORE_FAILED" });
  own.away = null;
  expect((await images.take(`${reference}:v1`)).args).toEqual(["/server"]);
});

test("the image that pods run has the user's layers and variables, Berth's entry program, and the same identity as that of code", async () => {
  const { reference, digest, layer } = await push({ env: ["A=1", "HOME=/srv"], workingDir: "/srv" });
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const code = new CodeImages(new OciLayout(dir), "runtime-images/entry/entry-linux-amd64");
  await code.open();
  const { ref } = await code.describe(await images.take(`${reference}:v1`));
  const json = (blob: string) => JSON.parse(readFileSync(join(dir, "blobs/sha256", blob.slice(7)), "utf8"));
  const manifest = json(await code.build("api", "r1", "identity", ref.layer));
  const { config, rootfs } = json(manifest.config.digest);
  expect(manifest.layers[0].digest).toBe(layer);
  expect(manifest.layers[2].digest).toBe(ref.layer);
  expect(rootfs.diff_ids).toHaveLength(3);
  expect(config).toMatchObject({
    Entrypoint: ["/.berth/command", "--start", "/berth/command", digest],
    Env: ["A=1", "HOME=/srv", "TMPDIR=/tmp"],
    WorkingDir: "/srv",
    Labels: { "dev.berth.identity": "identity", "dev.berth.image": `${reference}@${digest}` },
  });
  expect(config.User).toBeUndefined();
  expect(await code.find(ref.layer)).toEqual(ref);
});
