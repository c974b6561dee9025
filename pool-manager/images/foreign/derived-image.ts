import { COMMAND_SOCKET } from "../../../runtime-images/protocol/command-image.ts";
import type { ImageSpec, Layer } from "../oci.ts";
import type { ImageDescriptor } from "./descriptor.ts";

/** Path of the program that starts the command of an image, in the images that are derived from it. */
export const COMMAND_ENTRY = "/.berth/command";

/** The variables of a program whose image sets no others: they name the only directory that it may write. */
const DEFAULT_ENV = { HOME: "/tmp", TMPDIR: "/tmp" };

/**
 * The image that pods run for a user's image: its layers, variables and volumes, with Berth's entry program on top. The
 * program and its arguments come from the worker, which knows the function's settings. User and stop signal are left out:
 * pods have a user of their own, and the entry program ends on SIGTERM.
 */
export function derivedImage({ image, layers, env, workingDir, volumes }: ImageDescriptor, own: readonly Layer[], labels: Record<string, string>): ImageSpec {
  const named = new Set(env.map((variable) => variable.split("=")[0]));
  const defaults = Object.entries(DEFAULT_ENV).flatMap(([name, value]) => (named.has(name) ? [] : [`${name}=${value}`]));
  return {
    layers: [...layers, ...own],
    entrypoint: [COMMAND_ENTRY, "--start", COMMAND_SOCKET, digestIn(image)],
    env: [...env, ...defaults],
    workingDir,
    ...(volumes.length > 0 && { volumes }),
    labels: { ...labels, "dev.berth.image": image },
    architecture: "amd64",
  };
}

function digestIn(image: string): string {
  return image.slice(image.indexOf("@") + 1);
}
