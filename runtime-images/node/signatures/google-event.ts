/** The arguments of a background function. */
export interface BackgroundEvent {
  data: unknown;
  context: unknown;
}

/** The request contains no valid event. */
export class EventError extends Error {}

/** The request contains several events. */
export class BatchError extends EventError {}

/** The type of Pub/Sub messages. */
export const PUBSUB_MESSAGE = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

type Attributes = Record<string, string>;
type Fields = Record<string, unknown>;

/** Names of Google's event types, as CloudEvents and as events of background functions. */
const FAMILIES: readonly [cloudEvent: string, background: string, kinds: Record<string, string>][] = [
  ["google.cloud.pubsub.topic.v1.", "google.pubsub.topic.", { messagePublished: "publish" }],
  [
    "google.cloud.storage.object.v1.",
    "google.storage.object.",
    { finalized: "finalize", deleted: "delete", archived: "archive", metadataUpdated: "metadataUpdate" },
  ],
  [
    "google.cloud.firestore.document.v1.",
    "providers/cloud.firestore/eventTypes/document.",
    { written: "write", created: "create", updated: "update", deleted: "delete" },
  ],
  ["google.firebase.auth.user.v1.", "providers/firebase.auth/eventTypes/user.", { created: "create", deleted: "delete" }],
  ["google.firebase.analytics.log.v1.", "providers/google.firebase.analytics/eventTypes/event.", { written: "log" }],
  [
    "google.firebase.database.ref.v1.",
    "providers/google.firebase.database/eventTypes/ref.",
    { created: "create", written: "write", updated: "update", deleted: "delete" },
  ],
];

const TYPES = new Map(
  FAMILIES.flatMap(([cloudEvent, background, kinds]) => Object.entries(kinds).map(([kind, name]) => [cloudEvent + kind, background + name])),
);

export function isGoogleEvent({ type }: Attributes): boolean {
  return TYPES.has(type as string);
}

/** Converts a CloudEvent of a Google service to the event that background functions expect. */
export function toBackgroundEvent({ id, time, type, source = "", subject }: Attributes, body: unknown): BackgroundEvent {
  const [, service, name] = /\/\/([^/]+)\/(.+)/.exec(source) ?? [];
  if (service === undefined || name === undefined) throw new EventError(`ce-source is ${JSON.stringify(source)}, not //SERVICE/NAME`);
  const { resource, data } = (CONVERSIONS[service] ?? plain)({ service, name, path: `${name}/${subject}`, data: body });
  return { context: { eventId: id, timestamp: time, eventType: TYPES.get(type as string), resource }, data };
}

interface Origin {
  service: string;
  name: string;
  /** `name/subject`. */
  path: string;
  data: unknown;
}

type Conversion = (origin: Origin) => { resource: unknown; data: unknown };

const plain: Conversion = ({ path, data }) => ({ resource: path, data });

const CONVERSIONS: Record<string, Conversion> = {
  "pubsub.googleapis.com": ({ service, name, data }) => {
    const { messageId: _id, publishTime: _time, ...message } = fieldsOf(fieldsOf(data).message ?? data);
    return { resource: { service, name, type: PUBSUB_MESSAGE }, data: message };
  },
  "firebaseauth.googleapis.com": ({ name, data }) => {
    const { metadata } = fieldsOf(data);
    if (metadata === undefined) return { resource: name, data };
    const renamed = Object.entries(fieldsOf(metadata)).map(([key, value]) => [AUTH_TIMES[key] ?? key, value]);
    return { resource: name, data: { ...fieldsOf(data), metadata: Object.fromEntries(renamed) } };
  },
  "firebasedatabase.googleapis.com": ({ path, data }) => ({ resource: path.replace(/\/locations\/[^/]+/, ""), data }),
  "storage.googleapis.com": ({ service, path, data }) => ({ resource: { name: path, service, type: fieldsOf(data).kind }, data }),
};

const AUTH_TIMES: Record<string, string> = { createTime: "createdAt", lastSignInTime: "lastSignedInAt" };

function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new EventError("the body is not a JSON object");
  return value as Fields;
}
