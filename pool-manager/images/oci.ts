import { createHash } from "node:crypto";

/** Media types and fields: OCI Image Specification 1.1. */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";

/** Types of the layers that images of others have, as OCI names them. */
export const OCI_LAYERS: Readonly<Record<string, string>> = {
  [LAYER_TYPE]: LAYER_TYPE,
  [`${LAYER_TYPE}+gzip`]: `${LAYER_TYPE}+gzip`,
  [`${LAYER_TYPE}+zstd`]: `${LAYER_TYPE}+zstd`,
  [DOCKER_LAYER]: LAYER_TYPE,
  [`${DOCKER_LAYER}.gzip`]: `${LAYER_TYPE}+gzip`,
  [`${DOCKER_LAYER}.zstd`]: `${LAYER_TYPE}+zstd`,
};

/** A layer. With `diffId` the tar is gzipped, or what `mediaType` says; without, it is uncompressed and its digest is its diff id. */
export interface Layer {
  digest: string;
  size: number;
  diffId?: string;
  mediaType?: string;
}

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
  /** Layers from the bottom up. */
  layers: Layer[];
  entrypoint: string[];
  cmd?: string[];
  user?: string;
  env?: string[];
  /** By default the root. */
  workingDir?: string;
  volumes?: string[];
  labels: Record<string, string>;
  architecture: string;
}

export function digestOf(data: Uint8Array): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

/** Builds an image's config and manifest. The same input gives the same digest (no times, sorted labels). */
export function buildImage(spec: ImageSpec): BuiltImage {
  const config = encode({
    created: "1970-01-01T00:00:00Z",
    architecture: spec.architecture,
    os: "linux",
    config: {
      Entrypoint: spec.entrypoint,
      ...(spec.cmd && { Cmd: spec.cmd }),
      ...(spec.user && { User: spec.user }),
      ...(spec.env && { Env: spec.env }),
      ...(spec.volumes && { Volumes: Object.fromEntries(spec.volumes.map((path) => [path, {}])) }),
      WorkingDir: spec.workingDir ?? "/",
      Labels: Object.fromEntries(Object.entries(spec.labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
    rootfs: { type: "layers", diff_ids: spec.layers.map((layer) => layer.diffId ?? layer.digest) },
    history: spec.layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "berth" })),
  });
  const configDigest = digestOf(config);
  const manifest = encode({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: configDigest, size: config.length },
    layers: spec.layers.map((layer) => ({
      mediaType: layer.mediaType ?? (layer.diffId ? `${LAYER_TYPE}+gzip` : LAYER_TYPE),
      digest: layer.digest,
      size: layer.size,
    })),
  } satisfies ImageManifest);
  return { digest: digestOf(manifest), manifest, config, configDigest };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
