import { createHash } from "node:crypto";

/** Media types and fields: OCI Image Specification 1.1. */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

export interface ImageManifest {
  schemaVersion: 2;
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
}

export interface BuiltImage {
  digest: string;
  manifest: Uint8Array;
  config: Uint8Array;
  configDigest: string;
}

export interface ImageSpec {
  /** Layers from the bottom up: uncompressed tars, so that digest and diff id are the same. */
  layers: { digest: string; size: number }[];
  entrypoint: string[];
  labels: Record<string, string>;
  architecture: string;
}

export function digestOf(data: Uint8Array): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

/** Config and manifest of an image: the same input gives the same digest (no times, sorted labels). */
export function buildImage(spec: ImageSpec): BuiltImage {
  const config = encode({
    created: "1970-01-01T00:00:00Z",
    architecture: spec.architecture,
    os: "linux",
    config: {
      Entrypoint: spec.entrypoint,
      WorkingDir: "/",
      Labels: Object.fromEntries(Object.entries(spec.labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
    rootfs: { type: "layers", diff_ids: spec.layers.map((layer) => layer.digest) },
    history: spec.layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "berth" })),
  });
  const configDigest = digestOf(config);
  const manifest = encode({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: configDigest, size: config.length },
    layers: spec.layers.map((layer) => ({ mediaType: LAYER_TYPE, digest: layer.digest, size: layer.size })),
  } satisfies ImageManifest);
  return { digest: digestOf(manifest), manifest, config, configDigest };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
