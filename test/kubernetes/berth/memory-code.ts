import { digestOf } from "../../../pool-manager/images/oci.ts";
import type { PreparedCode } from "../../../pool-manager/platform/platform.ts";

/** Code images of functions whose code is nothing but a text: blobs by digest, as they are deployed. */
export class MemoryCode {
  readonly blobs = new Map<string, Uint8Array>();

  readonly blob = async (digest: string): Promise<Uint8Array> => {
    const data = this.blobs.get(digest);
    if (!data) throw new Error(`no blob ${digest}`);
    return data;
  };

  add(functionUid: string, revision = "r1", text = `${functionUid} ${revision}`): PreparedCode {
    const layer = Buffer.from(text);
    const digest = this.#put(layer);
    const config = this.#put(Buffer.from(JSON.stringify({ functionUid, revision })));
    const image = this.#put(Buffer.from(JSON.stringify({ config: { digest: config }, layers: [{ digest }] })));
    return { functionUid, pool: "node", revision, image, digest, entry: "index.mjs", layer };
  }

  #put(data: Uint8Array): string {
    const digest = digestOf(data);
    this.blobs.set(digest, data);
    return digest;
  }
}
