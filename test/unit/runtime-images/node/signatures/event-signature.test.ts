import { afterEach, describe, expect, test } from "vitest";
import { eventHandle } from "../../../../../runtime-images/node/signatures/event.ts";
import { Served } from "../../../../helpers/signature.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handler: unknown): Promise<Served> {
  const served = await Served.start(eventHandle(handler));
  closing.push(() => served.close());
  return served;
}

const JSON_TYPE = { "content-type": "application/json" };
const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers: { ...JSON_TYPE, ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

/** The arguments of a background function. */
async function called(path: string, request: Parameters<Served["ask"]>[1]): Promise<{ status: number; args: unknown[] }> {
  let args: unknown[] = [];
  const served = await serve((data: unknown, context: unknown) => {
    args = [data, context];
  });
  const { status } = await served.ask(path, request);
  return { status, args };
}

const CONTEXT = { eventId: "1", timestamp: "2026-01-31T12:00:00Z", eventType: "t", resource: { service: "s", name: "n", type: "t" } };
const ATTRIBUTES = { specversion: "1.0", id: "1", source: "/s", type: "com.example", subject: "x" };
const binary = (attributes: Record<string, string>) => Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]));
const google = (type: string, source: string, subject: string) =>
  binary({ specversion: "1.0", id: "aa-11", time: "2020-09-29T11:32:00.000Z", type, source, subject });
const STRUCTURED = { "content-type": "application/cloudevents+json" };
const PUBSUB_TYPE = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

describe("an event", () => {
  test.each<[string, Parameters<Served["ask"]>[1], unknown, unknown]>([
    ["with its context", post({ context: CONTEXT, data: { a: 1 } }), { a: 1 }, CONTEXT],
    ["whose context is all but its data", post({ ...CONTEXT, data: { a: 1 } }), { a: 1 }, CONTEXT],
    ["without data", post(CONTEXT), undefined, CONTEXT],
    ["that is a structured CloudEvent", post({ ...ATTRIBUTES, data: [1] }, { "content-type": "application/cloudevents+json; charset=utf-8" }), [1], ATTRIBUTES],
    [
      "that is a structured CloudEvent of bytes",
      post({ ...ATTRIBUTES, data_base64: "/wA=" }, { "content-type": "application/cloudevents+json" }),
      Buffer.from([255, 0]),
      ATTRIBUTES,
    ],
    [
      "that is a binary CloudEvent with encoded attributes",
      post(1, binary({ ...ATTRIBUTES, subject: "Euro%20%E2%82%AC", part: "100%" })),
      1,
      { ...ATTRIBUTES, subject: "Euro €", part: "100%" },
    ],
    ["that is a binary CloudEvent", post({ context: "data's own" }, binary(ATTRIBUTES)), { context: "data's own" }, ATTRIBUTES],
    ["that is a binary CloudEvent of text", post("hé", { ...binary(ATTRIBUTES), "content-type": "text/plain" }), "hé", ATTRIBUTES],
    ["that is a binary CloudEvent of bytes", post("raw", { ...binary(ATTRIBUTES), "content-type": "x/y" }), Buffer.from("raw"), ATTRIBUTES],
  ])("%s", async (_what, request, data, context) => {
    expect(await called("/", request)).toEqual({ status: 204, args: [data, context] });
  });

  test("from a push of Pub/Sub has the message, and the topic that its path names", async () => {
    const message = { data: "aGk=", attributes: { k: "v" }, messageId: "7", publishTime: "2026-01-31T12:00:00Z" };
    const resource = { service: "pubsub.googleapis.com", type: PUBSUB_TYPE };
    const context = { eventId: "7", timestamp: "2026-01-31T12:00:00Z", eventType: "google.pubsub.topic.publish" };
    const data = { "@type": PUBSUB_TYPE, data: "aGk=", attributes: { k: "v" } };
    const body = { subscription: "projects/p/subscriptions/s", message };
    const named = await called("/projects/p/topics/t?x=1", post(body));
    expect(named.args).toEqual([data, { ...context, resource: { ...resource, name: "projects/p/topics/t" } }]);
    const { attributes: _none, publishTime: _untold, ...bare } = message;
    const [found, told] = (await called("/", post({ ...body, message: bare }))).args as [unknown, { timestamp: string }];
    expect([found, told]).toEqual([
      { ...data, attributes: {} },
      { ...context, timestamp: told.timestamp, resource: { ...resource, name: null } },
    ]);
    expect(Date.parse(told.timestamp)).not.toBeNaN();
  });
});

describe("a CloudEvent of Google's", () => {
  const EVENTS = "providers/google.firebase.database/eventTypes/ref";
  test.each<[string, Record<string, string>, unknown, string, unknown, unknown]>([
    [
      "Pub/Sub",
      google("google.cloud.pubsub.topic.v1.messagePublished", "//pubsub.googleapis.com/projects/p/topics/t", ""),
      { subscription: "s", message: { data: "aGk=", messageId: "1", publishTime: "now", attributes: { k: "v" } } },
      "google.pubsub.topic.publish",
      { service: "pubsub.googleapis.com", name: "projects/p/topics/t", type: PUBSUB_TYPE },
      { data: "aGk=", attributes: { k: "v" } },
    ],
    [
      "Storage",
      google("google.cloud.storage.object.v1.finalized", "//storage.googleapis.com/projects/_/buckets/b", "objects/o"),
      { kind: "storage#object", name: "o" },
      "google.storage.object.finalize",
      { service: "storage.googleapis.com", name: "projects/_/buckets/b/objects/o", type: "storage#object" },
      { kind: "storage#object", name: "o" },
    ],
    [
      "Firestore",
      google("google.cloud.firestore.document.v1.written", "//firestore.googleapis.com/projects/p/databases/(default)", "documents/d/1"),
      { value: {} },
      "providers/cloud.firestore/eventTypes/document.write",
      "projects/p/databases/(default)/documents/d/1",
      { value: {} },
    ],
    [
      "Firebase's database",
      google("google.firebase.database.ref.v1.created", "//firebasedatabase.googleapis.com/projects/_/locations/us-central1/instances/i", "refs/r"),
      { delta: 1 },
      `${EVENTS}.create`,
      "projects/_/instances/i/refs/r",
      { delta: 1 },
    ],
    [
      "Firebase Auth",
      google("google.firebase.auth.user.v1.created", "//firebaseauth.googleapis.com/projects/p", "users/u"),
      { uid: "u", metadata: { createTime: "a", lastSignInTime: "b", other: "c" } },
      "providers/firebase.auth/eventTypes/user.create",
      "projects/p",
      { uid: "u", metadata: { createdAt: "a", lastSignedInAt: "b", other: "c" } },
    ],
    [
      "Analytics",
      google("google.firebase.analytics.log.v1.written", "//firebaseanalytics.googleapis.com/projects/p/apps/a", "events/e"),
      { x: 1 },
      "providers/google.firebase.analytics/eventTypes/event.log",
      "projects/p/apps/a/events/e",
      { x: 1 },
    ],
  ])("of %s comes as its background event", async (_service, headers, body, eventType, resource, data) => {
    const context = { eventId: "aa-11", timestamp: "2020-09-29T11:32:00.000Z", eventType, resource };
    expect(await called("/", post(body, headers))).toEqual({ status: 204, args: [data, context] });
  });

  test("that is structured keeps its attributes", async () => {
    const attributes = { specversion: "1.0", id: "1", type: "google.cloud.storage.object.v1.finalized", source: "//storage.googleapis.com/b" };
    expect((await called("/", post({ ...attributes, data: {} }))).args).toEqual([{}, attributes]);
  });
});

describe("what is no event", () => {
  test.each<[string, Parameters<Served["ask"]>[1], number, string, RegExp]>([
    ["a GET", { method: "GET" }, 405, "METHOD_NOT_ALLOWED", /POST/],
    ["a form", post("a=1", { "content-type": "application/x-www-form-urlencoded" }), 400, "EVENT_INVALID", /not a JSON object/],
    ["broken JSON", post('{"data":'), 400, "EVENT_INVALID", /not JSON: /],
    ["a list", post([1]), 400, "EVENT_INVALID", /not a JSON object/],
    ["a batch", post([ATTRIBUTES], { "content-type": "application/cloudevents-batch+json" }), 415, "EVENT_BATCHED", /batch/],
    ["a structured CloudEvent without a source", post({ ...ATTRIBUTES, source: undefined }, STRUCTURED), 400, "EVENT_INVALID", /lacks source$/],
    ["a CloudEvent of another version", post({ ...ATTRIBUTES, specversion: "2.0" }, STRUCTURED), 400, "EVENT_INVALID", /"2.0"/],
    ["a binary CloudEvent of another version", post({}, binary({ ...ATTRIBUTES, specversion: "2.0" })), 400, "EVENT_INVALID", /"2.0"/],
    ["a source of no service", post({}, google("google.cloud.storage.object.v1.deleted", "x", "y")), 400, "EVENT_INVALID", /ce-source/],
    ["a message of text", post("1", google("google.cloud.pubsub.topic.v1.messagePublished", "//pubsub.googleapis.com/t", "")), 400, "EVENT_INVALID", /object/],
  ])("%s reaches no handler", async (_what, request, status, code, message) => {
    let runs = 0;
    const served = await serve((_data: unknown, _context: unknown) => {
      runs += 1;
    });
    const answer = await served.ask("/", request);
    const { error } = JSON.parse(String(answer.body));
    expect([answer.status, error.code, runs]).toEqual([status, code, 0]);
    expect(error.message).toMatch(message);
  });
});

describe("a result", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  test.each<[string, unknown, number, string | undefined, string]>([
    ["nothing", undefined, 204, undefined, ""],
    ["null", null, 204, undefined, ""],
    ["text", "done", 200, "text/html; charset=utf-8", "done"],
    ["a number", 404, 200, "application/json; charset=utf-8", "404"],
    ["an object", { a: "é" }, 200, "application/json; charset=utf-8", '{"a":"é"}'],
    ["bytes", Buffer.from("raw"), 200, "application/octet-stream", "raw"],
    ["what cannot be told", circular, 204, undefined, ""],
  ])("that is %s", async (_what, result, status, type, body) => {
    const [promised, byCallback] = [
      await serve(async (_data: unknown, _context: unknown) => result),
      await serve((_data: unknown, _context: unknown, callback: (error: unknown, result?: unknown) => void) => setImmediate(callback, null, result)),
    ];
    for (const served of [promised, byCallback]) {
      const answer = await served.ask("/", post({ data: 1 }));
      expect([answer.status, answer.headers["content-type"], String(answer.body)]).toEqual([status, type, body]);
    }
  });

  test("of a callback counts once, and the return value of such a function is no result", async () => {
    const served = await serve((_data: unknown, _context: unknown, callback: (error: unknown, result?: unknown) => void) => {
      setTimeout(() => {
        callback(null, "first");
        callback(new Error("second"));
      }, 10);
      return "returned";
    });
    expect(String((await served.ask("/", post({ data: 1 }))).body)).toBe("first");
  });

  test.each<[string, unknown]>([
    ["thrown", (_data: unknown, _context: unknown) => Promise.reject("no luck")],
    [
      "thrown at once",
      () => {
        throw new Error("no luck");
      },
    ],
    [
      "thrown beside a callback",
      (_d: unknown, _c: unknown, _callback: unknown) => {
        throw new Error("no luck");
      },
    ],
    [
      "rejected beside a callback",
      async (_d: unknown, _c: unknown, _callback: unknown) => {
        throw new Error("no luck");
      },
    ],
    ["given to a callback", (_d: unknown, _c: unknown, callback: (error: unknown) => void) => callback(new Error("no luck"))],
  ])("that is an error, %s, is a 500", async (_how, handler) => {
    const answer = await (await serve(handler)).ask("/", post({ data: 1 }));
    expect([answer.status, JSON.parse(String(answer.body)).error]).toEqual([500, { code: "FUNCTION_ERROR", message: "no luck" }]);
  });
});
