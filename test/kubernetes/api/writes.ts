import { isDeepStrictEqual } from "node:util";
import { checkPodUpdate, newPod } from "../controllers/pod-rules.ts";
import { apiVersionOf, type Kind, type Route, resourceOf, subjectOf } from "../objects/kinds.ts";
import { type ApiObject, type Fields, isFields, type ManagedFields, type ObjectMeta, timestamp } from "../objects/object.ts";
import { apply, ownersAfterUpdate, type Writer } from "../objects/ownership.ts";
import { prune, type Schema, validate } from "../objects/schema.ts";
import { seededUuid } from "../objects/uuid.ts";
import type { Admission } from "./admission.ts";
import { alreadyExists, badRequest, conflict, forbidden, invalid, notFound } from "./api-error.ts";
import { checkPreconditions, deleteObject, settleDeletion } from "./deletion.ts";
import type { Store } from "./store.ts";

export interface WriteContext {
  /** The user that writes, as policies see it. */
  client: string;
  /** Field manager. */
  manager: string;
}

/** Writes as the API server does them: each one whole, at one moment, under preconditions. */
export class Writes {
  readonly #store: Store;
  readonly #admission: Admission;

  constructor(store: Store, admission: Admission) {
    this.#store = store;
    this.#admission = admission;
  }

  /** `owners`: of its fields, where it is made by apply. */
  create({ kind, namespace }: Route, body: unknown, context: WriteContext, owners?: ManagedFields[]): ApiObject {
    if (!isFields(body)) throw badRequest("the body of the request is not an object");
    const given = (body.metadata ?? {}) as Partial<ObjectMeta> & { generateName?: string };
    const name = given.name ?? `${given.generateName ?? ""}${seededUuid().slice(0, 5)}`;
    const of = subjectOf(kind, name);
    this.#checkNamespace(namespace, of);
    const { labels, annotations, ownerReferences, finalizers } = given;
    const metadata: ObjectMeta = {
      name,
      ...(namespace !== null && { namespace }),
      uid: seededUuid(),
      resourceVersion: "",
      ...((kind.status || kind.custom) && { generation: 1 }),
      creationTimestamp: timestamp(),
    };
    setOrDrop(metadata, { labels, annotations, ownerReferences, finalizers });
    const fresh = this.#ofKind(kind, { ...structuredClone(body), apiVersion: apiVersionOf(kind), kind: kind.kind, metadata });
    if (kind.status) delete fresh.status;
    const write = { operation: "CREATE" as const, kind, subresource: "", namespace, name, before: null, client: context.client };
    const mutated = this.#admission.mutated({ ...write, object: resourceOf(kind) === "/pods" ? newPod(fresh) : fresh });
    const object = this.#ofKind(kind, mutated);
    this.#validate(kind, object, null);
    if (this.#store.get(resourceOf(kind), namespace, name)) throw alreadyExists(of);
    this.#admission.checked({ ...write, object });
    const managedFields = owners ?? ownersAfterUpdate(null, object, this.#writer(kind, "", context));
    return this.#store.put(resourceOf(kind), { ...object, metadata: { ...object.metadata, managedFields } });
  }

  replace(route: Route, body: unknown, context: WriteContext): ApiObject {
    const { kind, name } = route;
    const of = subjectOf(kind, name);
    if (!isFields(body)) throw badRequest("the body of the request is not an object");
    const metadata = (body.metadata ?? {}) as Partial<ObjectMeta>;
    const before = this.#find(route);
    const uid = before?.metadata.uid ?? "";
    if (metadata.uid && metadata.uid !== uid) {
      const key = `/registry/${kind.group ? `${kind.group}/` : ""}${kind.plural}/${route.namespace ? `${route.namespace}/` : ""}${name}`;
      const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`;
      throw conflict(of, `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`);
    }
    if (!before) throw notFound(of);
    if (!metadata.resourceVersion && kind.conditional)
      throw invalid({ ...of, kind: kind.plural }, "metadata.resourceVersion", "Invalid value: 0: must be specified for an update");
    return this.#update(route, before, body as ApiObject, context);
  }

  /** `change` makes the new object of the present one. */
  patch(route: Route, change: (before: ApiObject) => unknown, context: WriteContext): ApiObject {
    const before = this.#find(route);
    if (!before) throw notFound(subjectOf(route.kind, route.name));
    return this.#update(route, before, change(structuredClone(before)) as ApiObject, context);
  }

  /** Server-side apply; makes what is missing. */
  apply(route: Route, configuration: ApiObject, force: boolean, context: WriteContext): { object: ApiObject; created: boolean } {
    const { kind, name, namespace, subresource } = route;
    const before = this.#find(route);
    const writer = { ...this.#writer(kind, subresource, context), operation: "Apply" as const };
    if (before) return { object: this.#update(route, before, apply(before, configuration, writer, force), context, true), created: false };
    const said = { ...configuration, metadata: { ...configuration.metadata, name, ...(namespace !== null && { namespace }) } };
    const { managedFields } = apply({ ...said, metadata: { ...said.metadata, managedFields: [] } }, said, writer, force).metadata;
    return { object: this.create(route, said, context, managedFields), created: true };
  }

  delete(route: Route, body: unknown, client: string): { object: ApiObject; gone: boolean } {
    const { kind, namespace, name } = route;
    const before = this.#find(route);
    if (!before) throw notFound(subjectOf(kind, name));
    checkPreconditions(kind, before, body);
    this.#admission.checked({ operation: "DELETE", kind, subresource: "", namespace, name, object: null, before, client });
    const object = deleteObject(this.#store, kind, before, body);
    return { object, gone: !this.#find(route) };
  }

  #update(route: Route, before: ApiObject, wanted: ApiObject, context: WriteContext, applied = false): ApiObject {
    const { kind, name, namespace, subresource } = route;
    const of = subjectOf(kind, name);
    const { resourceVersion, uid } = wanted.metadata ?? {};
    if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) throw conflict(of);
    if (uid && uid !== before.metadata.uid) throw invalid(of, "metadata.uid", `Invalid value: "${uid}": field is immutable`);
    const write = { operation: "UPDATE" as const, kind, subresource, namespace, name, before, client: context.client };
    const joined = this.#admission.mutated({ ...write, object: this.#ofKind(kind, joinedWith(before, wanted, kind, subresource)) });
    const next = withGeneration(before, joined, kind);
    if (resourceOf(kind) === "/pods") checkPodUpdate(of, before, next);
    this.#validate(kind, next, before);
    this.#admission.checked({ ...write, object: next });
    const managedFields = applied ? wanted.metadata.managedFields : ownersAfterUpdate(before, next, this.#writer(kind, subresource, context));
    if (isSame(before, next) && (!applied || isDeepStrictEqual(managedFields, before.metadata.managedFields))) return before;
    const stored = this.#store.put(resourceOf(kind), { ...next, metadata: { ...next.metadata, managedFields: managedFields ?? [] } });
    settleDeletion(this.#store, kind, stored);
    return stored;
  }

  #find({ kind, namespace, name }: Route): ApiObject | undefined {
    return this.#store.get(resourceOf(kind), namespace, name);
  }

  #writer(kind: Kind, subresource: string, { manager }: WriteContext): Writer {
    return { manager, operation: "Update", apiVersion: apiVersionOf(kind), subresource };
  }

  #ofKind(kind: Kind, object: ApiObject): ApiObject {
    const { apiVersion, kind: name, metadata, stringData, ...rest } = object;
    if (kind.plural === "secrets" && isFields(stringData)) {
      const data = Object.fromEntries(Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString("base64")]));
      return { apiVersion, kind: name, metadata, ...rest, data: { ...(rest.data as Fields | undefined), ...data } };
    }
    const known = kind.schema ? (prune(rest, kind.schema as Schema) as Fields) : { ...rest, ...(stringData !== undefined && { stringData }) };
    return { apiVersion, kind: name, metadata, ...known };
  }

  #validate(kind: Kind, object: ApiObject, before: ApiObject | null): void {
    if (kind.schema) validate(subjectOf(kind, object.metadata.name), object, kind.schema as Schema, before);
  }

  #checkNamespace(name: string | null, of: ReturnType<typeof subjectOf>): void {
    if (name === null) return;
    const namespace = this.#store.get("/namespaces", null, name);
    if (!namespace) throw notFound({ group: "", plural: "namespaces", kind: "Namespace", name });
    if (!namespace.metadata.deletionTimestamp) return;
    const why = `unable to create new content in namespace ${name} because it is being terminated`;
    throw forbidden(of, why, [{ reason: "NamespaceTerminating", message: `namespace ${name} is being terminated`, field: "metadata.namespace" }]);
  }
}

/** The fields of a written object that count: the status, or all but the status, and no field that only the server sets. */
function joinedWith(before: ApiObject, wanted: ApiObject, kind: Kind, subresource: string): ApiObject {
  const { labels, annotations, ownerReferences, finalizers } = wanted.metadata ?? {};
  const metadata: ObjectMeta = { ...before.metadata };
  // The kubelet writes annotations with the status of pods; of a custom resource a status is nothing but that.
  const touchesMetadata = subresource === "" || (subresource === "status" && !kind.custom);
  if (touchesMetadata) setOrDrop(metadata, { labels, annotations, ...(subresource === "" && { ownerReferences, finalizers }) });
  const ofStatus = kind.status && subresource === "status";
  const { status: statusBefore } = before;
  const body: ApiObject = { ...(ofStatus ? before : wanted), apiVersion: before.apiVersion, kind: before.kind, metadata };
  const { status: statusWanted, ...rest } = body;
  const status = ofStatus ? wanted.status : kind.status ? statusBefore : statusWanted;
  return { ...rest, ...(status !== undefined && { status }) };
}

function setOrDrop(metadata: ObjectMeta, values: Partial<ObjectMeta>): void {
  for (const [name, value] of Object.entries(values) as [keyof ObjectMeta, unknown][]) {
    const isEmpty = value === undefined || value === null || Object.keys(value as object).length === 0;
    if (isEmpty) delete metadata[name];
    else Object.assign(metadata, { [name]: value });
  }
}

function withGeneration(before: ApiObject, next: ApiObject, kind: Kind): ApiObject {
  if (before.metadata.generation === undefined) return next;
  const substance = ({ metadata: _, status, ...rest }: ApiObject) => (kind.status ? rest : { ...rest, status });
  const changed = !isDeepStrictEqual(substance(before), substance(next));
  return { ...next, metadata: { ...next.metadata, generation: before.metadata.generation + (changed ? 1 : 0) } };
}

function isSame(before: ApiObject, next: ApiObject): boolean {
  const plain = ({ metadata: { managedFields: _, ...metadata }, ...rest }: ApiObject) => ({ metadata, ...rest });
  return isDeepStrictEqual(plain(before), plain(next));
}
