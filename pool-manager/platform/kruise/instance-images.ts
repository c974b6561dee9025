import { pythonWorker } from "../../../runtime-images/python/worker-command.ts";
import { buildPythonImage, PYTHON_LABEL } from "../../images/python-image.ts";
import type { RegistryClient } from "../../images/registry.ts";
import { buildIdleImage, buildRuntimeImage, pushImage } from "../../images/runtime-image.ts";
import type { InstanceImages } from "./pod-runtimes.ts";

/** The programs of which images are built. */
export interface ImagePrograms {
  entryProgram: string;
  /** Directories with the built programs of the runtimes. */
  runtimeDist: string;
  pythonDist: string;
}

export interface PushedImages extends InstanceImages {
  /** The version of CPython in its image; if the runtime is not offered, the reason. */
  pythonVersion: string | { reason: string };
}

const REFERENCE = /^(.+?)(?::[^:@/]+)?@(sha256:[0-9a-f]{64})$/;

/** Builds and pushes the images of instances; returns their references. That of Python is left out where this machine has no interpreter. */
export async function pushInstanceImages(registry: RegistryClient, cacheDir: string, programs: ImagePrograms): Promise<PushedImages> {
  const { entryProgram, runtimeDist, pythonDist } = programs;
  const [idle, node] = await Promise.all([
    buildIdleImage(entryProgram).then((image) => pushImage(registry, "berth/idle", image)),
    buildRuntimeImage(cacheDir, runtimeDist).then((image) => pushImage(registry, "berth/runtime-node", image)),
  ]);
  const found = await pythonWorker(pythonDist);
  if (typeof found === "string") return { idle, node, python: null, pythonVersion: { reason: found } };
  const built = await buildPythonImage(cacheDir, runtimeDist, found.python, pythonDist).catch((error: Error) => error.message.trim().split("\n")[0] ?? "");
  if (typeof built === "string") return { idle, node, python: null, pythonVersion: { reason: `its image could not be built: ${built}` } };
  return { idle, node, python: await pushImage(registry, "berth/runtime-python", built), pythonVersion: found.python.version };
}

/** Images that are pushed already. That of Python says by its label which version it has; without one it is not offered. */
export async function knownImages(registry: RegistryClient, images: InstanceImages): Promise<PushedImages> {
  if (images.python === null) return { ...images, pythonVersion: { reason: "no image of it is given (--python-image)" } };
  try {
    return { ...images, pythonVersion: await versionIn(registry, images.python) };
  } catch (error) {
    return { ...images, python: null, pythonVersion: { reason: `${images.python}: ${(error as Error).message}` } };
  }
}

async function versionIn(registry: RegistryClient, image: string): Promise<string> {
  const [, name = "", digest = ""] = REFERENCE.exec(image) ?? [];
  const prefix = registry.reference("", "", "").split(":@")[0] ?? "";
  if (!name.startsWith(prefix)) throw new Error(`it is not in the registry ${prefix.replace(/\/$/, "")}, or not named by digest`);
  const read = async (blob: string) => JSON.parse(Buffer.from(await registry.read(name.slice(prefix.length), blob)).toString());
  const { config } = (await read(digest)) as { config?: { digest?: string } };
  const { config: settings } = (await read(config?.digest ?? "")) as { config?: { Labels?: Record<string, string> } };
  const version = settings?.Labels?.[PYTHON_LABEL];
  if (!version) throw new Error(`it has no label ${PYTHON_LABEL}`);
  return version;
}
