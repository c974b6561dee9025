import { packLayer } from "../../pool-manager/images/layer.ts";
import { type BundleOptions, buildSource } from "./build.ts";
import { bundleError, isTopLevelAwait } from "./errors.ts";
import { formatOf } from "./format.ts";
import { layOut } from "./layout.ts";
import { findSource } from "./source.ts";

/** Bundles a file or directory with its dependencies into the tar that POST /v1/code accepts. */
export async function bundle(from: string, options: BundleOptions = {}): Promise<Uint8Array> {
  const source = findSource(from);
  try {
    const format = await formatOf(source.entry);
    const deduplicated = { ...options, say: once(options.say) };
    const built = await buildSource(source, format, deduplicated).catch((error) => {
      // A CommonJS bundle cannot await a module; an ES module with CommonJS parts can.
      if (format === "cjs" && isTopLevelAwait(error)) return buildSource(source, "esm", deduplicated);
      throw error;
    });
    return await packLayer(await layOut(source, built));
  } catch (error) {
    throw bundleError(error, from);
  }
}

/** Passes each message on once: a source that is bundled twice has the same warnings. */
function once(say: BundleOptions["say"] = () => {}): (text: string) => void {
  const seen = new Set<string>();
  return (text) => {
    if (!seen.has(text)) say(text);
    seen.add(text);
  };
}
