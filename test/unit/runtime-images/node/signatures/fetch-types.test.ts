import { expect, test } from "vitest";
import { eachClosesServed, NativeResponse, serve } from "../../../../helpers/subjects/served-fetch.ts";

eachClosesServed();

const STREAM = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("s"));
      controller.close();
    },
  });

test.each<[string, () => Response, string | undefined]>([
  ["text", () => new Response("t"), "text/plain; charset=UTF-8"],
  ["text beside other headers", () => new Response("t", { headers: { a: "b" } }), "text/plain;charset=UTF-8"],
  ["text beside other headers, as a list", () => new Response("t", { headers: [["a", "b"]] }), "text/plain;charset=UTF-8"],
  ["text of a type of its own", () => new Response("t", { headers: { "Content-Type": "a/b" } }), "a/b"],
  ["bytes", () => new Response(new Uint8Array([1])), undefined],
  ["bytes beside other headers", () => new Response(new Uint8Array([1]), { headers: new Headers({ a: "b" }) }), undefined],
  ["bytes of an ArrayBuffer", () => new Response(new ArrayBuffer(3)), undefined],
  ["a blob", () => new Response(new Blob(["<p>"], { type: "text/html" })), "text/html"],
  ["a blob without a type", () => new Response(new Blob(["x"])), undefined],
  ["a stream", () => new Response(STREAM()), undefined],
  ["a stream of Node's own response", () => new NativeResponse(STREAM(), { headers: { a: "b" } }), undefined],
  ["a form", () => new Response(new URLSearchParams({ a: "b" })), "application/x-www-form-urlencoded;charset=UTF-8"],
  ["nothing", () => new Response(null), undefined],
  ["JSON", () => Response.json(1), "application/json"],
])("a response of %s has the type that Fetch gives it", async (_what, make, type) => {
  const served = await serve(make);
  const { status, headers } = await served.ask("/");
  expect([status, headers["content-type"]]).toEqual([200, type]);
});
