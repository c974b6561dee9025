import type { Kind } from "../objects/kinds.ts";
import type { ApiObject } from "../objects/object.ts";

/** A write on its way into the store. */
export interface Admitted {
  operation: "CREATE" | "UPDATE" | "DELETE";
  kind: Kind;
  subresource: string;
  namespace: string | null;
  name: string;
  /** Null: a deletion. */
  object: ApiObject | null;
  /** Null: a creation. */
  before: ApiObject | null;
  /** The user that writes. */
  client: string;
}

/** Changes a written object; the returned one is processed further. */
export type Mutate = (write: Admitted & { object: ApiObject }) => ApiObject;
/** Throws an `ApiError` to refuse a write. */
export type Check = (write: Admitted) => void;

/** Webhooks, policies and quotas: what others have put between a write and the store. */
export class Admission {
  readonly #mutating = new Set<Mutate>();
  readonly #validating = new Set<Check>();

  /** Both return the function that takes it away. */
  mutate(hook: Mutate): () => void {
    this.#mutating.add(hook);
    return () => this.#mutating.delete(hook);
  }

  check(hook: Check): () => void {
    this.#validating.add(hook);
    return () => this.#validating.delete(hook);
  }

  mutated(write: Admitted & { object: ApiObject }): ApiObject {
    return [...this.#mutating].reduce((object, hook) => hook({ ...write, object }), write.object);
  }

  checked(write: Admitted): void {
    for (const hook of this.#validating) hook(write);
  }
}
