import type { IncomingHttpHeaders } from "node:http";
import { type BackgroundEvent, EventError, isGoogleEvent, PUBSUB_MESSAGE, toBackgroundEvent } from "./google-event.ts";

type Fields = Record<string, unknown>;

/**
 * The event of a request, in the form in which the functions-framework passes it to background functions. `path` is the request's.
 *
 * | request                                     | context                                      | data                     |
 * |---------------------------------------------|----------------------------------------------|--------------------------|
 * | CloudEvent, binary, of a Google type        | the background event's                       | as a background event's  |
 * | CloudEvent, binary                          | its attributes                               | the body                 |
 * | push of a Pub/Sub subscription              | `google.pubsub.topic.publish`, topic of path | the message              |
 * | `{context, data}`                           | `context`                                    | `data`                   |
 * | `{data, …}`, structured CloudEvents as well | all but `data`                               | `data`                   |
 */
export function readEvent(headers: IncomingHttpHeaders, path: string, bytes: Buffer): BackgroundEvent {
  const body = bodyOf(headers["content-type"], bytes);
  if (isBinary(headers)) {
    const attributes = attributesOf(headers);
    return isGoogleEvent(attributes) ? toBackgroundEvent(attributes, body) : { data: body, context: attributes };
  }
  if (!isFields(body)) throw new EventError("the body is not a JSON object, and no header names a CloudEvent");
  if (isPush(body)) return pushed(body.message, path);
  const { data, context, ...rest } = body;
  return { data, context: context === undefined ? rest : context };
}

/** Whether this is a CloudEvent in binary mode: https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md, 3.1 */
function isBinary(headers: IncomingHttpHeaders): boolean {
  return ["ce-type", "ce-specversion", "ce-source", "ce-id"].every((name) => headers[name]);
}

function attributesOf(headers: IncomingHttpHeaders): Record<string, string> {
  const found = Object.entries(headers).filter(([name]) => name.startsWith("ce-"));
  return Object.fromEntries(found.map(([name, value]) => [name.slice("ce-".length), String(value)]));
}

/** The body: parsed JSON, text as a string, and anything else as bytes. */
function bodyOf(contentType = "", bytes: Buffer): unknown {
  const type = contentType.split(";")[0]?.trim().toLowerCase();
  if (type === "text/plain") return bytes.toString();
  if (type !== "application/json" && type !== "application/cloudevents+json") return bytes;
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
