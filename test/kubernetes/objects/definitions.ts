import { ApiError } from "../api/api-error.ts";
import type { Store } from "../api/store.ts";
import { BUILTIN, type Kind, resourceOf } from "./kinds.ts";
import type { ApiObject, Fields } from "./object.ts";

const DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions";
/** The finalizer that keeps a definition until the objects of its kind are gone. */
export const CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

interface Version {
  name: string;
  served: boolean;
  schema?: { openAPIV3Schema?: object };
  subresources?: { status?: object; scale?: { specReplicasPath: string; statusReplicasPath: string } };
}

interface Spec {
  group: string;
  scope: string;
  names: { kind: string; plural: string };
  versions: Version[];
}

/** The kinds that are served now: built-in ones, and those that CustomResourceDefinitions define. */
export class Definitions {
  readonly #store: Store;
  readonly #ended: (kind: Kind) => void;
  #kinds: Kind[] | null = null;

  /** `ended` receives a kind that is no longer served. */
  constructor(store: Store, ended: (kind: Kind) => void) {
    this.#store = store;
    this.#ended = ended;
    store.listen({
      changed: ({ resource }) => {
        if (resource === DEFINITIONS) this.#refresh();
      },
      restored: () => this.#refresh(),
    });
  }

  get kinds(): readonly Kind[] {
    this.#kinds ??= [...BUILTIN, ...this.#store.list(DEFINITIONS).flatMap(kindsOf)];
    return this.#kinds;
  }

  /** A kind whose definition is on its way out takes no new objects. */
  checkCreate({ plural, group }: Kind): void {
    const definition = this.#store.get(DEFINITIONS, null, `${plural}.${group}`);
    if (!definition?.metadata.deletionTimestamp) return;
    throw new ApiError(405, "MethodNotAllowed", "create not allowed while custom resource definition is terminating");
  }

  /** Deletes the objects of a deleted definition first, and then the definition; watches report each. */
  finish(definition: ApiObject): void {
    for (const kind of kindsOf(definition)) {
      for (const { metadata } of this.#store.list(resourceOf(kind))) this.#store.remove(resourceOf(kind), metadata.namespace ?? null, metadata.name);
    }
    this.#store.remove(DEFINITIONS, null, definition.metadata.name);
  }

  #refresh(): void {
    const before = this.kinds;
    this.#kinds = null;
    const served = new Set(this.kinds.map((kind) => `${resourceOf(kind)} ${kind.version}`));
    for (const kind of before) if (!served.has(`${resourceOf(kind)} ${kind.version}`)) this.#ended(kind);
  }
}

function kindsOf({ spec }: ApiObject): Kind[] {
  const { group, scope, names, versions } = spec as Spec;
  return versions
    .filter(({ served }) => served)
    .map(({ name, schema, subresources }) => ({
      group,
      version: name,
      plural: names.plural,
      kind: names.kind,
      namespaced: scope === "Namespaced",
      custom: true,
      status: subresources?.status !== undefined,
      ...(subresources?.scale && {
        scale: { specReplicas: pathOf(subresources.scale.specReplicasPath), statusReplicas: pathOf(subresources.scale.statusReplicasPath) },
      }),
      conditional: true,
      ...(schema?.openAPIV3Schema && { schema: schema.openAPIV3Schema as Fields }),
    }));
}

function pathOf(jsonPath: string): string[] {
  return jsonPath.split(".").filter(Boolean);
}
