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
/** What programs are made of; types, sources and texts stay away. */
const NEEDED = /\.(c?js|mjs|json|node|wasm|css|html|png|svg)$/;
/** Bundlers are for whoever deploys. */
const LEFT_OUT = /^node_modules\/(@esbuild\/|esbuild$|@types\/)/;

/**
 * The image of pool manager and router: Node as the runtime has it, the packages that the lock file names for
 * production, and the bundles of this checkout, each in a layer of its own.
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

/** Made once for each lock file. */
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

/** Packages below a package have entries of their own in the lock file. */
async function filesBelow(root: string, dir: string, wanted: RegExp): Promise<LayerFile[]> {
  const files: LayerFile[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") files.push(...(await filesBelow(root, path, wanted)));
    else if (entry.isFile() && wanted.test(entry.name)) files.push({ path: `${APP}/${relative(root, path)}`, data: await readFile(path) });
  }
  return files;
}
