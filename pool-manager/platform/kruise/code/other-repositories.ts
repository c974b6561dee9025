import { BoundedMap } from "../../../collections/bounded.ts";
import type { RegistryClient, RegistryError } from "../../../images/registry.ts";

/** How many repositories are searched at most. */
const MAX_ASKED = 50;
/** How long a digest that no repository has is not searched for again. */
const UNKNOWN_MS = 60_000;
const MAX_UNKNOWN = 1000;

/** Reads code of other namespaces and clusters from the same registry: functions that are restored or applied elsewhere name it by digest. */
export class OtherRepositories {
  readonly #registry: RegistryClient;
  readonly #own: string;
  readonly #unknown = new BoundedMap<string, number>(MAX_UNKNOWN);

  /** `own`: the repository whose siblings are searched: those with the same name up to the last hyphen. */
  constructor(registry: RegistryClient, own: string) {
    this.#registry = registry;
    this.#own = own;
  }

  /** Reads a blob or manifest and verifies its digest; null: no repository has it, or the registry does not list its repositories. */
  async read(digest: string): Promise<Uint8Array | null> {
    if (performance.now() < (this.#unknown.get(digest) ?? 0)) return null;
    const prefix = this.#own.slice(0, this.#own.lastIndexOf("-") + 1);
    const all = await this.#registry.repositories();
    const others = all.filter((name) => name.startsWith(prefix) && name !== this.#own);
    for (const repository of others.slice(0, MAX_ASKED)) {
      const found = await this.#registry.read(repository, digest).catch((error: RegistryError) => {
        // A repository that this user may not read counts as not having it.
        if ([401, 403, 404].includes(error.status)) return null;
        throw error;
      });
      if (found) return found;
    }
    this.#unknown.set(digest, performance.now() + UNKNOWN_MS);
    return null;
  }
}
