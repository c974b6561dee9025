import type { IncomingHttpHeaders } from "node:http";
import { type BackgroundEvent, BatchError, EventError, isGoogleEvent, PUBSUB_MESSAGE, toBackgroundEvent } from "./google-event.ts";

type Fields = Record<string, unknown>;

/**
 * The event of a request, in the form in which the functions-framework passes it to background functions. `path` is the request's.
 *
 * | request                                     | context                                      | data                     |
 * |---------------------------------------------|----------------------------------------------|--------------------------|
 * | CloudEvent, binary, of a Google type        | the background event's                       | as a background event's  |
 * | CloudEvent, binary                          | its attributes                               | the body                 |
 * | CloudEvent, structured, with `data_base64`  | its attributes                               | bytes                    |
 * | push of a Pub/Sub subscription              | `google.pubsub.topic.publish`, topic of path | the message              |
 * | `{context, data}`                           | `context`                                    | `data`                   |
 * | `{data, …}`, structured CloudEvents as well | all but `data`                               | `data`                   |
 */
export function readEvent(headers: IncomingHttpHeaders, path: string, bytes: Buffer): BackgroundEvent {
  const type = typeOf(headers["content-type"]);
  if (type === "application/cloudevents-batch+json") throw new BatchError("the body is a batch of CloudEvents");
  const body = bodyOf(type, bytes);
  if (isBinary(headers)) {
    const attributes = attributesOf(headers);
    checkVersion(attributes.specversion);
    return isGoogleEvent(attributes) ? toBackgroundEvent(attributes, body) : { data: body, context: attributes };
  }
  if (!isFields(body)) throw new EventError("the body is not a JSON object, and no header names a CloudEvent");
  if (type === STRUCTURED) return readStructured(body);
  if (isPush(body)) return pushed(body.message, path);
  const { data, context, ...rest } = body;
  return { data, context: context === undefined ? rest : context };
}

const STRUCTURED = "application/cloudevents+json";

/** A CloudEvent in structured mode: https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md */
function readStructured({ data, data_base64: encoded, ...context }: Fields): BackgroundEvent {
  const missing = ["specversion", "id", "source", "type"].filter((name) => typeof context[name] !== "string" || context[name] === "");
  if (missing.length > 0) throw new EventError(`the CloudEvent lacks ${missing.join(", ")}`);
  checkVersion(context.specversion);
  return { data: typeof encoded === "string" ? Buffer.from(encoded, "base64") : data, context };
}

function checkVersion(version: unknown): void {
  if (version !== "1.0" && version !== "0.3") throw new EventError(`the specversion is ${JSON.stringify(version)}, and not 1.0`);
}

/** Whether this is a CloudEvent in binary mode: https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md, 3.1 */
function isBinary(headers: IncomingHttpHeaders): boolean {
  return ["ce-type", "ce-specversion", "ce-source", "ce-id"].every((name) => headers[name]);
}

function attributesOf(headers: IncomingHttpHeaders): Record<string, string> {
  const found = Object.entries(headers).filter(([name]) => name.startsWith("ce-"));
  return Object.fromEntries(found.map(([name, value]) => [name.slice("ce-".length), decoded(String(value))]));
}

/** Characters of an attribute that headers cannot have are percent-encoded UTF-8 (3.1.3.2). What is no such encoding is kept. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function typeOf(contentType = ""): string | undefined {
  return contentType.split(";")[0]?.trim().toLowerCase();
}

/** The body: parsed JSON, text as a string, and anything else as bytes. */
function bodyOf(type: string | undefined, bytes: Buffer): unknown {
  if (type === "text/plain") return bytes.toString();
  if (type !== "application/json" && type !== STRUCTURED) return bytes;
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw new EventError(`the body is not JSON: ${(error as Error).message}`);
  }
}

interface PushMessage {
  data: string;
  messageId: string;
  publishTime?: string;
  attributes?: Record<string, string>;
}

/** Whether this is a push of a Pub/Sub subscription: https://cloud.google.com/pubsub/docs/push */
function isPush(body: Fields): body is { subscription: string; message: PushMessage } {
  const { context, subscription, message } = body;
  return !context && Boolean(subscription) && isFields(message) && Boolean(message.data && message.messageId);
}

function pushed({ data, messageId, publishTime, attributes }: PushMessage, path: string): BackgroundEvent {
  const topic = /projects\/[^/?]+\/topics\/[^/?]+/.exec(path)?.[0] ?? null;
  const timestamp = publishTime || new Date().toISOString();
  const context = {
    eventId: messageId,
    timestamp,
    eventType: "google.pubsub.topic.publish",
    resource: { service: "pubsub.googleapis.com", type: PUBSUB_MESSAGE, name: topic },
  };
  return { context, data: { "@type": PUBSUB_MESSAGE, data, attributes: attributes ?? {} } };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}
