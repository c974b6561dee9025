import { CLEANUP, Definitions } from "../objects/definitions.ts";
import { apiVersionOf, type Kind, type Route, resourceOf, routeOf, subjectOf } from "../objects/kinds.ts";
import type { ApiObject, Fields } from "../objects/object.ts";
import { type JsonPatchStep, jsonPatch, mergePatch } from "../objects/patch.ts";
import { strategicMerge } from "../objects/strategic-merge.ts";
import { Admission } from "./admission.ts";
import { ApiError, badRequest, NotServed, notFound } from "./api-error.ts";
import { listOf } from "./lists.ts";
import { scaleOf, withScale } from "./scale.ts";
import type { Store } from "./store.ts";
import { Watch, type WatchSink } from "./watches.ts";
import { type WriteContext, Writes } from "./writes.ts";

export interface ApiRequest {
  method: string;
  path: string;
  query: Readonly<Record<string, string>>;
  body: unknown;
  contentType: string;
  /** The user that sends the request, as permissions, policies and faults see it. */
  client: string;
  /** Answers as the API server would have at this version: its cache lags behind. */
  staleVersion?: number | undefined;
}

export interface ApiAnswer {
  status: number;
  /** JSON, or plain text. */
  body: unknown;
  /** Seconds. */
  retryAfter: number | null;
}

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** The access that a permission grants. */
export interface Access {
  client: string;
  verb: string;
  group: string;
  resource: string;
  subresource: string;
}

const DEFAULT_MANAGER = "berth";
const GIT_VERSION = "v1.34.4";

/** The Kubernetes API on a store: what a request answers, at one moment. */
export class Api {
  readonly store: Store;
  readonly admission = new Admission();
  readonly definitions: Definitions;
  readonly #writes: Writes;
  readonly #watches = new Set<Watch>();
  /** False: 403. */
  allows: (access: Access) => boolean = () => true;
  /** Text of a container's log; throws an `ApiError`. */
  log: (pod: ApiObject, query: Readonly<Record<string, string>>) => string = () => "";

  constructor(store: Store) {
    this.store = store;
    this.#writes = new Writes(store, this.admission);
    this.definitions = new Definitions(store, (kind) => this.#endWatches(kind));
    // Definitions and namespaces get a finalizer: their deletion, with all that belongs to them, waits for a controller.
    this.admission.mutate(({ operation, kind, object }) => {
      const finalizer = operation === "CREATE" && { customresourcedefinitions: CLEANUP, namespaces: "kubernetes" }[kind.plural];
      return finalizer ? { ...object, metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), finalizer] } } : object;
    });
  }

  handle(request: ApiRequest): ApiAnswer {
    try {
      const body = this.#answer(request);
      const isCreation = request.method === "POST" || (body as { created?: boolean }).created;
      return { status: isCreation ? 201 : 200, body: (body as { object?: unknown }).object ?? body, retryAfter: null };
    } catch (error) {
      return failure(error);
    }
  }

  /** Opens a watch. Null where it was refused; `refused` is told why. */
  watch(request: ApiRequest, sink: WatchSink, refused: (answer: ApiAnswer) => void): Watch | null {
    try {
      const route = this.#route(request.path);
      this.#checkRights(request, route, "watch");
      const watch = new Watch(this.store, route, request.query, {
        event: (type, object) => sink.event(type, object),
        ended: () => {
          this.#watches.delete(watch);
          sink.ended();
        },
      });
      this.#watches.add(watch);
      watch.begin();
      return watch;
    } catch (error) {
      refused(failure(error));
      return null;
    }
  }

  #endWatches(kind: Kind): void {
    for (const watch of [...this.#watches]) if (resourceOf(watch.route.kind) === resourceOf(kind) && watch.route.kind.version === kind.version) watch.end();
  }

  #answer(request: ApiRequest): unknown {
    if (request.path === "/version") return { major: "1", minor: "34", gitVersion: GIT_VERSION };
    if (request.path.endsWith("/selfsubjectaccessreviews")) return this.#review(request);
    const discovered = this.#discover(request.path);
    if (discovered) return discovered;
    const route = this.#route(request.path);
    const verb = verbOf(request.method, route);
    this.#checkRights(request, route, verb);
    if (verb === "list") return listOf(this.store, route, request.query, request.staleVersion);
    if (verb === "get") return this.#get(request, route);
    return this.#write(request, route, verb);
  }

  #get({ query, staleVersion }: ApiRequest, route: Route): unknown {
    const object = this.#find(route, staleVersion);
    if (route.subresource === "log") return this.log(object, query);
    return route.subresource === "scale" ? scaleOf(object, route.kind) : object;
  }

  #find({ kind, namespace, name }: Route, version?: number): ApiObject {
    const resource = resourceOf(kind);
    const isIt = ({ metadata }: ApiObject) => metadata.name === name;
    const object = version === undefined ? this.store.get(resource, namespace, name) : this.store.list(resource, namespace, version).find(isIt);
    if (!object) throw notFound(subjectOf(kind, name));
    return object;
  }

  #write(request: ApiRequest, route: Route, verb: Verb): unknown {
    const { body, client, query } = request;
    const context: WriteContext = { client, manager: query.fieldManager ?? DEFAULT_MANAGER };
    if (verb === "create") {
      checkKind(route.kind, body);
      this.definitions.checkCreate(route.kind);
      return { object: this.#writes.create(route, body, context) };
    }
    if (verb === "delete") return this.#delete(request, route);
    if (route.subresource === "scale") return this.#scale(request, route, context);
    if (verb === "update") return { object: this.#writes.replace(route, body, context) };
    if (request.contentType === "application/apply-patch+yaml") {
      if (!query.fieldManager) throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
      if (!this.store.get(resourceOf(route.kind), route.namespace, route.name)) this.definitions.checkCreate(route.kind);
      return this.#writes.apply(route, body as ApiObject, query.force === "true", context);
    }
    return { object: this.#writes.patch(route, (object) => patched(object, request, route.kind), context) };
  }

  #scale({ method, body, contentType }: ApiRequest, route: Route, context: WriteContext): unknown {
    const change = (object: ApiObject) => {
      const wanted =
        method === "PUT"
          ? body
          : contentType === "application/json-patch+json"
            ? jsonPatch(scaleOf(object, route.kind), body as JsonPatchStep[])
            : mergePatch(scaleOf(object, route.kind), body);
      return withScale(object, route.kind, wanted);
    };
    return scaleOf(this.#writes.patch({ ...route, subresource: "" }, change, context), route.kind);
  }

  #delete({ body, client, query }: ApiRequest, route: Route): unknown {
    const options = { ...(body as Fields | null), ...(query.gracePeriodSeconds && { gracePeriodSeconds: Number(query.gracePeriodSeconds) }) };
    if (!route.name) {
      const list = listOf(this.store, route, query) as { items: ApiObject[] };
      for (const { metadata } of list.items) this.#writes.delete({ ...route, name: metadata.name, namespace: metadata.namespace ?? null }, options, client);
      return { object: list };
    }
    const { object, gone } = this.#writes.delete(route, options, client);
    const { kind } = route;
    if (!gone || kind.plural === "pods") return { object };
    const details = { name: route.name, ...(kind.group && { group: kind.group }), kind: kind.plural, uid: object.metadata.uid };
    return { object: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details } };
  }

  #route(path: string): Route {
    const route = routeOf(path, this.definitions.kinds);
    const { kind, subresource = "" } = route ?? {};
    const isServed = { "": true, status: kind?.status, scale: kind?.scale !== undefined, log: kind?.plural === "pods" }[subresource];
    if (!route || !isServed) throw new NotServed();
    return route;
  }

  #discover(path: string): object | null {
    const [, group, version, more] = /^\/apis\/([^/]+)\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    if (!group || more) return null;
    const kinds = this.definitions.kinds.filter((kind) => kind.group === group && kind.version === version);
    if (kinds.length === 0) throw new NotServed();
    const resources = kinds.map(({ plural, kind, namespaced }) => ({ name: plural, kind, namespaced }));
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf(kinds[0] as Kind), resources };
  }

  #review({ body, client }: ApiRequest): unknown {
    const { spec } = body as { spec: { resourceAttributes: Partial<Access> } };
    const { verb = "", group = "", resource = "", subresource = "" } = spec.resourceAttributes;
    return { object: { ...(body as Fields), status: { allowed: this.allows({ client, verb, group, resource, subresource }) } } };
  }

  #checkRights({ client }: ApiRequest, { kind, namespace, name, subresource }: Route, verb: Verb): void {
    const { group, plural } = kind;
    if (this.allows({ client, verb, group, resource: plural, subresource })) return;
    const what = `${plural}${subresource && `/${subresource}`}`;
    const where = namespace === null ? "at the cluster scope" : `in the namespace "${namespace}"`;
    const qualified = group ? `${plural}.${group}` : plural;
    const message = `${qualified}${name && ` "${name}"`} is forbidden: User "${client}" cannot ${verb} resource "${what}" in API group "${group}" ${where}`;
    throw new ApiError(403, "Forbidden", message, { ...(name && { name }), ...(group && { group }), kind: plural });
  }
}

function verbOf(method: string, { name }: Route): Verb {
  if (method === "GET") return name ? "get" : "list";
  const verb = ({ POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" } as const)[method];
  if (!verb) throw new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
  return verb;
}

/** Objects of custom kinds have to say what they are. */
function checkKind({ custom, kind }: Kind, body: unknown): void {
  if (!custom || (body as Partial<ApiObject>).kind === kind) return;
  throw badRequest(`the object provided is unrecognized (must be of type ${kind}): Object 'Kind' is missing in '${JSON.stringify(body)}'`);
}

function patched(object: ApiObject, { body, contentType }: ApiRequest, { custom }: Kind): unknown {
  if (contentType === "application/json-patch+json") return jsonPatch(object, body as JsonPatchStep[]);
  if (contentType === "application/merge-patch+json") return mergePatch(object, body);
  if (contentType === "application/strategic-merge-patch+json" && !custom) return strategicMerge(object, body);
  const accepted = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"].join(", ");
  throw new ApiError(415, "UnsupportedMediaType", `the body of the request was in an unknown format - accepted media types include: ${accepted}`);
}

/** The answer of an error; one that is not the API's is the test's to see. */
export function failure(error: unknown): ApiAnswer {
  if (error instanceof ApiError) return { status: error.code, body: error.status(), retryAfter: error.retryAfter };
  if (error instanceof NotServed) return { status: 404, body: error.message, retryAfter: null };
  throw error;
}
