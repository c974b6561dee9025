import { ManagerError } from "../../errors.ts";
import type { CodeRef } from "../../functions/function.ts";
import { type InForce, type Manifest, parseManifest, patchManifest } from "../../functions/manifest/manifest.ts";
import type { Placing } from "../../functions/revisions.ts";
import { parseCanary } from "../../functions/traffic.ts";
import { checkCommand } from "../../images/foreign/image-config.ts";
import { flagOf } from "../body.ts";
import type { ApiContext } from "../context.ts";

/** The deployment that a request asks for, in the registry's terms. */
export interface Deployment {
  make(current?: InForce): Manifest;
  /** Undefined: the code in force is kept. */
  ref: CodeRef | undefined;
  placing: Placing;
}

export interface DeploymentOptions {
  /** Whether what is left out stays as it is: a PATCH. */
  keep: boolean;
  context: Pick<ApiContext, "functions" | "images" | "runtimes" | "bounds" | "takeImage">;
}

/** Checks the body of a deployment, and finds its code or takes its image. Throws a `ManagerError`. */
export async function deploymentOf(name: string, body: Record<string, unknown>, { keep, context }: DeploymentOptions): Promise<Deployment> {
  const { code, canary, onceLoaded, ...given } = body;
  const { functions, images, runtimes, bounds } = context;
  const placing = { canary: parseCanary(canary), onceLoaded: flagOf("onceLoaded", onceLoaded) };
  if (code !== undefined && typeof code !== "string") throw new ManagerError("MANIFEST_INVALID", "code: must be a digest", "code");
  const { image } = given;
  const hasImage = image !== undefined && image !== null;
  if (code !== undefined && hasImage) throw new ManagerError("MANIFEST_INVALID", "image: a function is an image or code, and not both", "image");
  // Before an image is copied, which may take minutes.
  if (!keep || (hasImage && !functions.find(name))) parseManifest(given, runtimes, bounds);
  const taken = typeof image === "string" ? await context.takeImage(image) : null;
  const ref = taken?.code ?? (code === undefined ? undefined : (functions.codeByDigest(code) ?? (await images.find(code))));
  if (!ref && !functions.find(name) && !keep) {
    throw new ManagerError("MANIFEST_INVALID", "code: a new function needs the digest of uploaded code, or an image", "code");
  }
  const make = (current?: InForce): Manifest => {
    const wanted = { ...given, ...(taken && { image: taken.image }), ...(code !== undefined && keep && { image: null }) };
    const made = keep && current ? patchManifest(wanted, runtimes, current, bounds) : parseManifest(wanted, runtimes, bounds);
    if (taken) checkCommand(taken, made.command);
    return ref ? made : withImage(name, made, image, current);
  };
  return { make, ref, placing };
}

/** The code in force stays, and with it the image. Throws `MANIFEST_INVALID` if the image is taken away, and nothing takes its place. */
function withImage(name: string, made: Manifest, given: unknown, current: InForce | undefined): Manifest {
  if (!current?.image) return made;
  if (given === null) throw new ManagerError("MANIFEST_INVALID", `image: ${name} has no code: name the digest of uploaded code, or an image`, "image");
  return { ...made, image: current.image };
}
