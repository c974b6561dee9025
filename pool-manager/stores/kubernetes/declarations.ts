import { ManagerError } from "../../errors.ts";
import type { CodeRef, Declaration, FunctionRecord } from "../../functions/function.ts";
import { checkName, type Manifest, parseManifest } from "../../functions/manifest/manifest.ts";
import type { ResourceBounds } from "../../functions/manifest/resources.ts";
import { checkCommand } from "../../images/foreign/image-config.ts";
import type { TakeImage, TakenImage } from "../../images/foreign/image-intake.ts";
import { isPinned, parseReference } from "../../images/foreign/reference.ts";
import type { FormerFunctions } from "./former-functions.ts";
import { type FunctionResource, type FunctionResourceSpec, holdersOf, ownedFields, resourceSpecOf, toApply, trafficOf } from "./function-resource.ts";
import { FIELD_MANAGER, type ResourceClient } from "./resource-client.ts";
import type { FunctionSecrets } from "./secrets/function-secrets.ts";

export interface DeclarationsOptions {
  client: Pick<ResourceClient<FunctionResource>, "apply" | "cache">;
  secrets: Pick<FunctionSecrets, "read">;
  former: Pick<FormerFunctions, "of">;
  runtimes: readonly string[];
  bounds: ResourceBounds | null;
  /** Finds code by the digest of its layer. Rejects with `CODE_UNKNOWN` or `STORE_FAILED`. */
  code(digest: string): Promise<CodeRef>;
  /** Stores the files of a small function as code. */
  upload(files: Record<string, string>): Promise<CodeRef>;
  takeImage: TakeImage;
  /** Whether this state of the resource has yet to be ingested. */
  isPending(resource: FunctionResource): boolean;
}

/** Translates between the specs of resources and the registry: reads declarations, and writes what the API deploys. */
export class Declarations {
  readonly #options: DeclarationsOptions;
  /** The ingested version of each function's Secret, by the function's name. */
  readonly #taken = new Map<string, string>();

  constructor(options: DeclarationsOptions) {
    this.#options = options;
  }

  of({ metadata, spec }: FunctionResource): Declaration {
    const { code, traffic: _, secretRef, ...manifest } = spec;
    const { code: known, upload, runtimes, bounds, client, former, isPending } = this.#options;
    return {
      name: checkName(metadata.name),
      ...trafficOf(spec),
      version: metadata.generation ?? 0,
      isPending: () => {
        const now = client.cache.get(metadata.name);
        return now?.metadata.uid === metadata.uid && isPending(now);
      },
      manifest: async (kept): Promise<Manifest> => {
        const secrets = secretRef ? await this.#readSecret(metadata.name, secretRef) : kept();
        return parseManifest({ ...manifest, secrets }, runtimes, bounds);
      },
      code: async () => {
        const taken = await this.#imageOf(spec);
        if (taken) checkCommand(taken, spec.command);
        return taken?.code ?? (code?.files ? upload(code.files) : known(code?.digest ?? ""));
      },
      former: () => former.of(metadata.name),
    };
  }

  /** Copies the image of a declaration, which may take minutes, before it is ingested: meanwhile others are. */
  async prepare({ spec }: FunctionResource): Promise<void> {
    await this.#imageOf(spec);
  }

  /** Throws `IMAGE_NOT_PINNED` for an image by tag: it would change what the resource declares while the resource stays the same. */
  async #imageOf({ image }: FunctionResourceSpec): Promise<TakenImage | null> {
    if (typeof image !== "string") return null;
    if (!isPinned(parseReference(image)))
      throw new ManagerError("IMAGE_NOT_PINNED", `image: ${image} has no digest: a tag may change what it means while the resource stays the same`, "image");
    return this.#options.takeImage(image);
  }

  /** Applies the record as the API's field manager. Fields of other managers stay; rejects with `FIELD_OWNED` if they conflict. */
  async declare(record: FunctionRecord): Promise<FunctionResource> {
    const { client } = this.#options;
    const current = client.cache.get(record.name);
    refuseEnding(current);
    const wanted = resourceSpecOf(record);
    if (!current) return client.apply(record.name, wanted);
    const owned = ownedFields(current, FIELD_MANAGER);
    const applied = await client.apply(record.name, toApply(wanted, current.spec, owned, await this.#isCode(current.spec, wanted)));
    refuseEnding(applied);
    const left = toApply(wanted, applied.spec, new Set(), await this.#isCode(applied.spec, wanted));
    const fields = Object.keys(left).join(", ");
    if (fields)
      throw new ManagerError("FIELD_OWNED", `${fields}: also declared by another field manager, in the resource of ${record.name}`, Object.keys(left)[0]);
    return applied;
  }

  /** The ingested version of a function's Secret. */
  secretOf(name: string): string | undefined {
    return this.#taken.get(name) ?? this.#options.client.cache.get(name)?.status?.secret;
  }

  /** Names of functions by the Secret that they reference. */
  references(): Map<string, string[]> {
    const references = new Map<string, string[]>();
    for (const { metadata, spec } of this.#options.client.cache.all()) {
      if (spec.secretRef) references.set(spec.secretRef, [...(references.get(spec.secretRef) ?? []), metadata.name]);
    }
    return references;
  }

  /** Forgets a removed function. */
  forget(name: string): void {
    this.#taken.delete(name);
  }

  async #isCode({ code }: FunctionResourceSpec, wanted: FunctionResourceSpec): Promise<boolean> {
    if (code?.digest) return code.digest === wanted.code?.digest;
    return code?.files !== undefined && (await this.#options.upload(code.files)).layer === wanted.code?.digest;
  }

  async #readSecret(functionName: string, name: string): Promise<Record<string, string>> {
    const secret = await this.#options.secrets.read(name);
    if (!secret) throw new ManagerError("SECRET_NOT_FOUND", `secretRef: there is no Secret ${name}`, "secretRef");
    this.#taken.set(functionName, secret.version);
    return secret.values;
  }
}

/** Throws `FUNCTION_ENDING`: what is written to a resource that is being deleted goes with it. */
function refuseEnding(resource: FunctionResource | undefined): void {
  const holders = resource && holdersOf(resource);
  if (!holders) return;
  const message = `${resource.metadata.name} is being deleted, held by ${holders.join(", ")}, and served until it is gone: what is deployed now would go with it`;
  throw new ManagerError("FUNCTION_ENDING", message);
}
