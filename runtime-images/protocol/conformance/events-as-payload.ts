import assert from "node:assert/strict";
import { EVENT_HEADER } from "../headers.ts";
import { type Check, HEADERS, invoke, load, loaded, type RuntimeSubject } from "./subject.ts";

/** Invokes the sample `event`, with the payload as the event. */
async function call(subject: RuntimeSubject, payload: string) {
  const { port } = (await load(subject, "event", { signature: subject.eventSignature })).echo;
  await loaded(subject);
  return invoke(subject, port, { method: "POST", headers: { ...HEADERS, [EVENT_HEADER]: "1", "content-type": "application/json" }, body: payload });
}

/** Checks of the arguments of a handler that takes events, if the router says that the body is the event. */
export const eventsAsPayload: Check[] = [
  {
    name: "gives a handler the body as its event, and answers with its result as JSON, whatever fields that has",
    run: async (subject) => {
      const { status, body, error } = await call(subject, '{"a":[1,"ü"]}');
      assert.deepEqual([status, error, JSON.parse(body)], [200, undefined, { statusCode: 418, event: { a: [1, "ü"] } }]);
    },
  },
  {
    name: "gives a handler an empty object where there is no body",
    run: async (subject) => {
      assert.deepEqual(JSON.parse((await call(subject, "")).body).event, {});
    },
  },
  {
    name: "describes what a handler throws for an event by its type and message",
    run: async (subject) => {
      const { status, body, error } = await call(subject, '{"fail":"boom"}');
      const { errorType, errorMessage } = JSON.parse(body) as { errorType: string; errorMessage: string };
      assert.deepEqual([status, error, errorType, errorMessage], [500, "FUNCTION_ERROR", "TypeError", "boom"]);
    },
  },
  {
    name: "refuses an event that is not JSON before user code runs",
    run: async (subject) => {
      const { status, error } = await call(subject, "{not json");
      assert.deepEqual([status, error], [400, "PAYLOAD_INVALID"]);
    },
  },
];
