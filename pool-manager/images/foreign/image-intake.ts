import { ManagerError } from "../../errors.ts";
import type { CodeRef } from "../../functions/function.ts";
import type { CodeImages } from "../code-images.ts";
import type { ForeignImages } from "./foreign-images.ts";

/** An image that a function may be deployed with. */
export interface TakenImage {
  /** By digest. */
  image: string;
  code: CodeRef;
  /** The arguments that the image starts by itself; empty: the function has to name a command. */
  args: readonly string[];
}

/** Takes the image that a manifest names. Throws a `ManagerError` with the field `image`. */
export type TakeImage = (text: string) => Promise<TakenImage>;

/** `foreign`: null on a platform whose instances run no images. */
export function imageIntake(images: Pick<CodeImages, "describe">, foreign: Pick<ForeignImages, "take"> | null): TakeImage {
  return async (text) => {
    if (!foreign)
      throw new ManagerError("IMAGE_NEEDS_CLUSTER", `image: ${text.slice(0, 200)} cannot be run here: instances are processes of this machine`, "image");
    const descriptor = await foreign.take(text);
    const { ref } = await images.describe(descriptor);
    return { image: descriptor.image, code: ref, args: descriptor.args };
  };
}
