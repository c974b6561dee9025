import { unpackTar } from "modern-tar";
import { type CommandImage, IMAGE_FILE } from "../../../runtime-images/protocol/command-image.ts";
import { FUNCTION_ROOT } from "../../../runtime-images/protocol/messages.ts";
import type { LayerFile } from "../layer.ts";
import type { Layer } from "../oci.ts";

/** A user's image as Berth records it: the content of `IMAGE_FILE`. The same image gives the same bytes. */
export interface ImageDescriptor extends CommandImage {
  env: string[];
  workingDir: string;
  volumes: string[];
  /** From the bottom up. */
  layers: Layer[];
}

/** The only file of an image's function layer. */
export function descriptorFile(descriptor: ImageDescriptor): LayerFile {
  return { path: IMAGE_FILE, data: Buffer.from(JSON.stringify(descriptor)) };
}

/** The image that a function layer describes; null: it is code. */
export async function descriptorIn(layer: Uint8Array): Promise<ImageDescriptor | null> {
  // Its name is in the first header: layers of code are not unpacked for this.
  const name = `${FUNCTION_ROOT}/${IMAGE_FILE}`;
  if (Buffer.from(layer.buffer, layer.byteOffset, name.length).toString() !== name) return null;
  const [entry] = await unpackTar(layer, { strict: true });
  return JSON.parse(Buffer.from(entry?.data ?? []).toString("utf8")) as ImageDescriptor;
}
