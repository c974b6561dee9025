import type { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";

/** The functions of a registry as seen by a pool manager that does not know all of them yet. */
export class ListedFunctions {
  readonly #registry: FunctionRegistry;
  #hidden = new Set<string>();

  constructor(registry: FunctionRegistry) {
    this.#registry = registry;
  }

  /** Hides these functions from the pool manager that starts now. */
  hide(isHidden: () => boolean): void {
    this.#hidden = new Set(this.#registry.list().flatMap(({ uid }) => (isHidden() ? [uid] : [])));
  }

  tell(uid: string): void {
    this.#hidden.delete(uid);
  }

  /** Shows all of them; returns those that were hidden. */
  reveal(): string[] {
    const hidden = [...this.#hidden];
    this.#hidden.clear();
    return hidden;
  }

  asRegistry(): FunctionRegistry {
    return new Proxy(this.#registry, {
      get: (registry, name) => {
        if (name === "byUid") return (uid: string) => (this.#hidden.has(uid) ? undefined : registry.byUid(uid));
        if (name === "list") return () => registry.list().filter(({ uid }) => !this.#hidden.has(uid));
        const value: unknown = Reflect.get(registry, name, registry);
        return typeof value === "function" ? value.bind(registry) : value;
      },
    });
  }
}
