import { posix } from "node:path";
import { CACHE_SUFFIX } from "../../../../runtime-images/protocol/layer.ts";
import { FUNCTION_ROOT } from "../../../../runtime-images/protocol/messages.ts";
import type { Collector } from "../../../functions/retention.ts";
import { packLayer } from "../../../images/layer.ts";
import { digestOf } from "../../../images/oci.ts";
import type { CodeDir } from "../../code-dir.ts";
import type { PreparedCode } from "../../platform.ts";

/** Length of the end-of-archive marker in bytes (POSIX.1-1988, "tar"). */
const TAR_END = 1024;

export interface Archive {
  digest: string;
  data: Uint8Array;
}

/** Builds the code of inline load orders: the layer and, for a large module, its code cache by the runtime's V8. */
export class InlineArchives {
  readonly #dir: CodeDir;
  /** Digests of archives by layer: hashing a megabyte would add milliseconds to every start. */
  readonly #digests = new Map<string, string>();

  constructor(dir: CodeDir) {
    this.#dir = dir;
    dir.open();
  }

  prepare({ digest, entry, layer }: PreparedCode): void {
    this.#dir.compile(digest, entry, layer);
  }

  retain(layers: ReadonlySet<string>, collector: Collector): void {
    this.#dir.retain(layers, collector);
    for (const digest of this.#digests.keys()) if (!layers.has(digest)) this.#digests.delete(digest);
  }

  async archive(digest: string, entry: string, layer: Uint8Array): Promise<Archive> {
    const compiled = await this.#dir.compiled(digest, entry);
    if (!compiled) return { digest, data: layer };
    const cache = await packLayer([{ path: posix.join(FUNCTION_ROOT, entry + CACHE_SUFFIX), data: compiled }]);
    const data = Buffer.concat([cache.subarray(0, cache.length - TAR_END), layer]);
    const known = this.#digests.get(digest) ?? digestOf(data);
    this.#digests.set(digest, known);
    return { digest: known, data };
  }
}
