import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { ENTRY_PROGRAM } from "./code-images.ts";
import { type KeptLayer, keptLayer } from "./kept-layer.ts";
import { type LayerFile, packLayer } from "./layer.ts";
import { buildImage, digestOf } from "./oci.ts";
import { type Image, NODE, nodeLayer, RUN_AS } from "./runtime-image.ts";

const APP = "opt/berth";
const MODE = 0o755;
/** Files that programs need at run time; types, sources and texts are left out. */
const NEEDED = /\.(c?js|mjs|json|node|wasm|css|html|png|svg)$/;
/** Packages that only the deploying machine needs. */
const LEFT_OUT = /^node_modules\/(@esbuild\/|esbuild$|@types\/)/;

/**
 * The image of pool manager and router. Its layers are the runtime's Node, the production packages of the lock file,
 * and the bundles of this checkout.
 */
export async function buildBerthImage(root: string, cacheDir: string): Promise<Image> {
  const node = await nodeLayer(cacheDir);
  const modules = await modulesLayer(root, cacheDir);
  const programs = await packLayer(await programFiles(root), "", MODE);
  const digest = digestOf(programs);
  const built = buildImage({
    layers: [node.layer, modules.layer, { digest, size: programs.length }],
    entrypoint: [`/${NODE}`, `/${APP}/dist/berth.js`],
    user: `${RUN_AS}:${RUN_AS}`,
    labels: { "dev.berth.image": "berth" },
    architecture: "amd64",
  });
  const blobs = new Map<string, () => Promise<Uint8Array>>([
    [node.layer.digest, () => readFile(node.file)],
    [modules.layer.digest, () => readFile(modules.file)],
    [digest, async () => programs],
  ]);
  return { built, blobs };
}

/** The layer of packages, built once per lock file. */
function modulesLayer(root: string, cacheDir: string): Promise<KeptLayer> {
  const lock = readFileSync(join(root, "package-lock.json"));
  return keptLayer(join(cacheDir, `modules-${digestOf(lock).slice(7, 19)}.tar.gz`), MODE, () => moduleFiles(root, lock));
}

async function moduleFiles(root: string, lock: Buffer): Promise<LayerFile[]> {
  const { packages } = JSON.parse(lock.toString("utf8")) as { packages: Record<string, { dev?: boolean; optional?: boolean }> };
  const files: LayerFile[] = [];
  for (const [path, { dev, optional }] of Object.entries(packages)) {
    if (!path.startsWith("node_modules/") || dev || LEFT_OUT.test(path)) continue;
    if (!existsSync(join(root, path))) {
      if (optional) continue;
      throw new Error(`${path} is missing: run npm ci`);
    }
    files.push(...(await filesBelow(root, join(root, path), NEEDED)));
  }
  return files;
}

async function programFiles(root: string): Promise<LayerFile[]> {
  const files = [];
  for (const path of ["dist", "runtime-images/node/dist"]) files.push(...(await filesBelow(root, join(root, path), NEEDED)));
  for (const path of ["package.json", ENTRY_PROGRAM]) files.push({ path: `${APP}/${path}`, data: await readFile(join(root, path)) });
  return files;
}

/** Files below `dir` without nested packages, which have their own entries in the lock file. */
async function filesBelow(root: string, dir: string, wanted: RegExp): Promise<LayerFile[]> {
  const files: LayerFile[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") files.push(...(await filesBelow(root, path, wanted)));
    else if (entry.isFile() && wanted.test(entry.name)) files.push({ path: `${APP}/${relative(root, path)}`, data: await readFile(path) });
  }
  return files;
}
