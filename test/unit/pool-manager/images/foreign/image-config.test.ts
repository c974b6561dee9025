import { describe, expect, test } from "vitest";
import type { ManagerError } from "../../../../../pool-manager/errors.ts";
import { checkCommand, describeImage, type ForeignConfig, type ForeignManifest, forPods } from "../../../../../pool-manager/images/foreign/image-config.ts";

const IMAGE = "registry:5000/api@sha256:1";
const GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const layer = (size: number, mediaType = GZIP) => ({ mediaType, digest: `sha256:${size}`, size });

const MANIFEST: ForeignManifest = { layers: [layer(10), layer(20)] };
const CONFIG: ForeignConfig = { os: "linux", architecture: "amd64", rootfs: { diff_ids: ["sha256:a", "sha256:b"] } };

function codeOf(work: () => unknown): string {
  try {
    work();
    return "taken";
  } catch (error) {
    return (error as ManagerError).code;
  }
}

test("an image is described by its program, its variables and its layers, in the terms of OCI", () => {
  const config = { Entrypoint: ["/server"], Cmd: ["--verbose"], Env: ["A=1"], WorkingDir: "/srv", ExposedPorts: { "3000/tcp": {} }, Volumes: { "/data": {} } };
  expect(describeImage(IMAGE, MANIFEST, { ...CONFIG, config })).toEqual({
    image: IMAGE,
    args: ["/server", "--verbose"],
    port: 3000,
    env: ["A=1"],
    workingDir: "/srv",
    volumes: ["/data"],
    layers: [
      { digest: "sha256:10", size: 10, diffId: "sha256:a", mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" },
      { digest: "sha256:20", size: 20, diffId: "sha256:b", mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" },
    ],
  });
});

test.each([
  [[], 8080],
  [["80/tcp"], 8080],
  [["3000/tcp"], 3000],
  [["3000"], 3000],
  [["80/tcp", "3000/tcp"], 3000],
  [["3000/tcp", "4000/tcp"], 8080],
  [["3000/udp"], 8080],
  [["7420/tcp"], 8080],
  [["40000/tcp"], 8080],
])("of the exposed ports %j the program gets %i", (exposed, port) => {
  const config = { ExposedPorts: Object.fromEntries(exposed.map((one) => [one, {}])) };
  expect(describeImage(IMAGE, MANIFEST, { ...CONFIG, config }).port).toBe(port);
});

describe("what pods cannot run is refused", () => {
  test.each<[string, ForeignManifest, ForeignConfig, string]>([
    ["another processor", MANIFEST, { ...CONFIG, architecture: "arm64" }, "IMAGE_UNSUPPORTED"],
    ["another system", MANIFEST, { ...CONFIG, os: "windows" }, "IMAGE_UNSUPPORTED"],
    ["no platform at all", MANIFEST, {}, "IMAGE_UNSUPPORTED"],
    ["layers that do not fit the config", { layers: [layer(1)] }, CONFIG, "IMAGE_UNSUPPORTED"],
    ["no layers: an artifact", {}, { ...CONFIG, rootfs: {} }, "IMAGE_UNSUPPORTED"],
    [
      "a layer that may not be copied",
      { layers: [layer(1), layer(2, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")] },
      CONFIG,
      "IMAGE_UNSUPPORTED",
    ],
    ["more than 4 GB", { layers: [layer(1), layer(4 * 1024 ** 3)] }, CONFIG, "IMAGE_TOO_LARGE"],
    ["exactly 4 GB", { layers: [layer(1), layer(4 * 1024 ** 3 - 1)] }, CONFIG, "taken"],
  ])("%s", (_what, manifest, config, code) => {
    expect(codeOf(() => describeImage(IMAGE, manifest, config))).toBe(code);
  });

  test("an image without a program, unless the function names one", () => {
    const empty = { image: IMAGE, args: [] };
    expect([
      codeOf(() => checkCommand(empty, null)),
      codeOf(() => checkCommand(empty, "./run")),
      codeOf(() => checkCommand({ ...empty, args: ["/x"] }, null)),
    ]).toEqual(["IMAGE_UNSUPPORTED", "taken", "taken"]);
  });

  test("an index without an image for pods, with the platforms that it has", () => {
    const arm = { digest: "sha256:arm", platform: { os: "linux", architecture: "arm64" } };
    const amd = { digest: "sha256:amd", platform: { os: "linux", architecture: "amd64" } };
    const attestation = { digest: "sha256:att", platform: { os: "unknown", architecture: "unknown" } };
    expect(forPods(IMAGE, { manifests: [arm, attestation, amd] })).toBe("sha256:amd");
    expect(() => forPods(IMAGE, { manifests: [arm, attestation] })).toThrow("is built for linux/arm64, and pods are linux/amd64");
  });
});
