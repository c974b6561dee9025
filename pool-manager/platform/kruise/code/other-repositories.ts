import type { RegistryClient, RegistryError } from "../../../images/registry.ts";

/** Repositories that are asked at most. */
const MAX_ASKED = 50;
/** What none of them had is not asked for again within this time. */
const UNKNOWN_MS = 60_000;
const MAX_UNKNOWN = 1000;

/** Code of other namespaces and clusters in the same registry: what is restored or applied elsewhere names it by digest. */
export class OtherRepositories {
  readonly #registry: RegistryClient;
  readonly #own: string;
  readonly #unknown = new Map<string, number>();

  /** `own`: a repository whose siblings, of the same name up to the last hyphen, are asked. */
  constructor(registry: RegistryClient, own: string) {
    this.#registry = registry;
    this.#own = own;
  }

  /** The bytes of a blob or manifest, checked against their digest; null: none has it, or the registry does not list its repositories. */
  async read(digest: string): Promise<Uint8Array | null> {
    if (performance.now() < (this.#unknown.get(digest) ?? 0)) return null;
    const prefix = this.#own.slice(0, this.#own.lastIndexOf("-") + 1);
    const all = await this.#registry.repositories();
    const others = all.filter((name) => name.startsWith(prefix) && name !== this.#own);
    for (const repository of others.slice(0, MAX_ASKED)) {
      const found = await this.#registry.read(repository, digest).catch((error: RegistryError) => {
        // One that this user may not read has nothing for us.
        if ([401, 403, 404].includes(error.status)) return null;
        throw error;
      });
      if (found) return found;
    }
    this.#remember(digest);
    return null;
  }

  #remember(digest: string): void {
    this.#unknown.delete(digest);
    this.#unknown.set(digest, performance.now() + UNKNOWN_MS);
    for (const oldest of this.#unknown.keys()) {
      if (this.#unknown.size <= MAX_UNKNOWN) break;
      this.#unknown.delete(oldest);
    }
  }
}
