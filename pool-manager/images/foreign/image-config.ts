import { ManagerError } from "../../errors.ts";
import { type Layer, OCI_LAYERS } from "../oci.ts";
import type { ImageDescriptor } from "./descriptor.ts";

/** The largest image, compressed: every node that runs it downloads and unpacks it. */
const MAX_IMAGE_BYTES = 4 * 1024 ** 3;
const MAX_LAYERS = 120;
const ARCHITECTURE = "amd64";
/** The value of `$PORT` for a program whose image exposes no port of its own choice. */
const PORT = 8080;
/** Ports below this need a privilege that pods do not give. */
const FIRST_UNPRIVILEGED = 1024;
/** Ports from here on are given to outgoing connections, and to the worker. */
const FIRST_EPHEMERAL = 32_768;
/** The supervisor's own. */
const CONTROL_PORT = 7420;

/** The parts of an image manifest and of an index that are read here, of OCI and of Docker. */
export interface ForeignManifest {
  mediaType?: string;
  config?: { digest: string; size?: number };
  layers?: { mediaType: string; digest: string; size: number }[];
  manifests?: { digest: string; platform?: { os?: string; architecture?: string; variant?: string } }[];
}

export interface ForeignConfig {
  os?: string;
  architecture?: string;
  rootfs?: { diff_ids?: string[] };
  config?: {
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    Env?: string[] | null;
    WorkingDir?: string;
    ExposedPorts?: Record<string, unknown> | null;
    Volumes?: Record<string, unknown> | null;
  } | null;
}

/** The digest of an index's image for pods. Throws `IMAGE_UNSUPPORTED` if there is none. */
export function forPods(image: string, { manifests = [] }: ForeignManifest): string {
  const found = manifests.find(({ platform }) => platform?.os === "linux" && platform.architecture === ARCHITECTURE);
  if (found) return found.digest;
  const there = manifests.map(({ platform }) => `${platform?.os ?? "?"}/${platform?.architecture ?? "?"}`).filter((one) => one !== "unknown/unknown");
  throw unsupported(`${image} is built for ${there.join(", ") || "no platform"}, and pods are linux/${ARCHITECTURE}: build it for that too`);
}

/** Berth's record of an image that its pods can run. Throws `IMAGE_UNSUPPORTED` or `IMAGE_TOO_LARGE`. */
export function describeImage(image: string, manifest: ForeignManifest, { os, architecture, rootfs, config }: ForeignConfig): ImageDescriptor {
  if (os !== "linux" || architecture !== ARCHITECTURE)
    throw unsupported(`${image} is built for ${os ?? "?"}/${architecture ?? "?"}, and pods are linux/${ARCHITECTURE}: build it for that`);
  const layers = layersOf(image, manifest.layers ?? [], rootfs?.diff_ids ?? []);
  const args = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])];
  return {
    image,
    args,
    port: portOf(Object.keys(config?.ExposedPorts ?? {})),
    env: config?.Env ?? [],
    workingDir: config?.WorkingDir || "/",
    volumes: Object.keys(config?.Volumes ?? {}).sort(),
    layers,
  };
}

/** Throws `IMAGE_UNSUPPORTED` if an image names no program, and neither does its function. */
export function checkCommand({ image, args }: Pick<ImageDescriptor, "image" | "args">, command: unknown): void {
  if (args.length > 0 || (command !== undefined && command !== null)) return;
  throw unsupported(`${image} has neither an entry point nor a command: name what is started with command (--command)`);
}

function layersOf(image: string, layers: NonNullable<ForeignManifest["layers"]>, diffIds: readonly string[]): Layer[] {
  if (layers.length === 0 || layers.length !== diffIds.length) throw unsupported(`${image} is not an image of a program: its layers and its config do not fit`);
  if (layers.length > MAX_LAYERS) throw unsupported(`${image} has ${layers.length} layers, and a container at most ${MAX_LAYERS}: squash some`);
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MAX_IMAGE_BYTES)
    throw new ManagerError("IMAGE_TOO_LARGE", `image: ${image} has ${gigabytes(bytes)} GB, and ${gigabytes(MAX_IMAGE_BYTES)} GB are the most`, "image");
  return layers.map(({ mediaType, digest, size }, at) => {
    const known = OCI_LAYERS[mediaType];
    if (!known) throw unsupported(`${image} has a layer of the type ${mediaType}, which cannot be copied: build it with layers of tar, gzip or zstd`);
    return { digest, size, diffId: diffIds[at] as string, mediaType: known };
  });
}

/** The only port that an image exposes, if its program may listen on it; its program may know no other. */
function portOf(exposed: readonly string[]): number {
  const ports = exposed.map((port) => /^(\d+)(?:\/tcp)?$/.exec(port)?.[1]).flatMap((port) => (port === undefined ? [] : [Number(port)]));
  const usable = ports.filter((port) => port >= FIRST_UNPRIVILEGED && port < FIRST_EPHEMERAL && port !== CONTROL_PORT);
  return usable.length === 1 ? (usable[0] as number) : PORT;
}

function gigabytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}

function unsupported(message: string): ManagerError {
  return new ManagerError("IMAGE_UNSUPPORTED", `image: ${message}`, "image");
}
