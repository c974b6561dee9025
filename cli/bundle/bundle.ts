import { packLayer } from "../../pool-manager/images/layer.ts";
import { type BundleOptions, buildSource } from "./build.ts";
import { bundleError, isTopLevelAwait } from "./errors.ts";
import { formatOf } from "./format.ts";
import { layOut } from "./layout.ts";
import { findSource } from "./source.ts";

/** Bundles a file or directory with its dependencies into the tar that POST /v1/code takes. */
export async function bundle(from: string, options: BundleOptions = {}): Promise<Uint8Array> {
  const source = findSource(from);
  try {
    const format = await formatOf(source.entry);
    const told = { ...options, say: once(options.say) };
    const built = await buildSource(source, format, told).catch((error) => {
      // A CommonJS bundle cannot wait for a module; an ES module that holds CommonJS parts can.
      if (format === "cjs" && isTopLevelAwait(error)) return buildSource(source, "esm", told);
      throw error;
    });
    return await packLayer(await layOut(source, built));
  } catch (error) {
    throw bundleError(error, from);
  }
}

/** Says the same thing once: a source that is bundled again has the same warnings. */
function once(say: BundleOptions["say"] = () => {}): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
}
