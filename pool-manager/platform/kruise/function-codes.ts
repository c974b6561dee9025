import { sleep } from "../../async/wait.ts";
import { tagOf } from "../../images/runtime-image.ts";
import type { PreparedCode } from "../platform.ts";
import type { CloneSets } from "./clonesets/clonesets.ts";
import { functionSet, functionSetName, type PodSettings } from "./clonesets/manifests.ts";
import type { CodeRegistry } from "./code/code-registry.ts";
import { type CloneSet, CODE_CONTAINER } from "./objects/objects.ts";

const TEMPLATE_AFTER_MS = 400;

/** The code of a function's served revisions with the images that carry it; the revision that is being released comes first. */
export type Codes = readonly [PreparedCode, ...PreparedCode[]];

export interface FunctionCodesOptions {
  pods: PodSettings;
  registry: CodeRegistry;
  writer: CloneSets;
}

/** The code of each function, which its CloneSet has to carry before pods are moved there. */
export class FunctionCodes {
  readonly #options: FunctionCodesOptions;
  readonly #codes = new Map<string, Codes>();

  constructor(options: FunctionCodesOptions) {
    this.#options = options;
  }

  get(functionUid: string): Codes | undefined {
    return this.#codes.get(functionUid);
  }

  set(codes: Codes): void {
    this.#codes.set(codes[0].functionUid, codes);
  }

  /** Forgets the functions that are not among these. */
  retain(functions: ReadonlySet<string>): void {
    for (const uid of this.#codes.keys()) if (!functions.has(uid)) this.#codes.delete(uid);
  }

  /** The code in a function's CloneSet for this pool: of the revisions whose instances come from it, the one that is being released. */
  releasedIn(functionUid: string, pool: string): PreparedCode | undefined {
    return this.#codes.get(functionUid)?.find((code) => code.pool === pool);
  }

  /** A new revision's pods are swapped first: the template is for Kruise alone, and its work would compete with theirs. */
  async prepareLater(code: PreparedCode, pool = code.pool): Promise<CloneSet> {
    await sleep(TEMPLATE_AFTER_MS);
    return this.prepare(this.releasedIn(code.functionUid, pool) ?? code, pool);
  }

  /** The image is in the registry, and the function's CloneSet for this pool has it in its template. */
  async prepare(code: PreparedCode, pool = code.pool): Promise<CloneSet> {
    const { pods, registry, writer } = this.#options;
    await registry.publish(code.image);
    const name = functionSetName(code.functionUid, pool);
    const image = registry.reference(code.image, tagOf(code.image));
    await writer.ensure(name, () => functionSet(code.functionUid, pool, pods, image));
    await writer.setImage(name, CODE_CONTAINER, image);
    return writer.observed(name);
  }
}
