import { describe, expect, test } from "vitest";
import { fetchHandle } from "../../../../../runtime-images/node/signatures/fetch.ts";
import { until } from "../../../../helpers/berth.ts";
import { platformHeaders, Served } from "../../../../helpers/signature.ts";
import { closing, eachClosesServed, NativeResponse, serve } from "../../../../helpers/subjects/served-fetch.ts";

eachClosesServed();

describe("a response", () => {
  test.each([
    ["a string", () => "text", "fetch() returned string"],
    ["nothing", () => undefined, "fetch() returned undefined"],
    ["an error response", () => Response.error(), "Response.error()"],
    ["a throw", () => Promise.reject(new Error("no luck")), "no luck"],
    ["null thrown", () => Promise.reject(null), "null"],
  ])("cannot be %s: 500 that says so", async (_what, handler, message) => {
    const served = await serve(handler);
    const answer = await served.ask("/");
    const { error } = JSON.parse(String(answer.body));
    expect([answer.status, error.code, platformHeaders(answer)]).toEqual([500, "FUNCTION_ERROR", ["x-berth-error"]]);
    expect(error.message).toContain(message);
    await until(async () => served.settled === 1, "the invocation has settled");
  });

  const fetched = () => fetch("data:text/plain,hello");
  const streamed = () => new ReadableStream({ start: (controller) => controller.close() });
  const reading = async (response: Response) => {
    await response.text();
    return response;
  };
  const locking = (response: Response) => {
    response.body?.getReader();
    return response;
  };
  test.each<[string, () => unknown]>([
    ["its own text", () => reading(new Response("hello"))],
    ["what was fetched", async () => reading(await fetched())],
    ["a stream", () => reading(new Response(streamed()))],
    ["a text that somebody reads", () => locking(new Response("hello"))],
    ["what was fetched, and somebody reads", async () => locking(await fetched())],
    ["a stream that somebody reads", () => locking(new Response(streamed()))],
    ["the body of another that was read", async () => new Response((await reading(await fetched())).body)],
    ["the body of another that somebody reads", async () => new Response(locking(await fetched()).body, { headers: { "x-a": "1" } })],
  ])("cannot have a body that was read before: %s", async (_what, handler) => {
    const served = await serve(handler);
    for (const method of ["GET", "HEAD"]) {
      const answer = await served.ask("/", { method });
      expect([answer.status, platformHeaders(answer)]).toEqual([500, ["x-berth-error"]]);
      if (method === "HEAD") continue;
      const { error } = JSON.parse(String(answer.body));
      expect(error).toEqual({ code: "FUNCTION_ERROR", message: expect.stringMatching(/^fetch\(\) returned a Response whose body .* response\.clone\(\)/) });
    }
    await until(async () => served.settled === 2, "the invocations have settled");
  });

  test.each<[string, (body: ReadableStream) => Response]>([
    ["was fetched", (body) => new NativeResponse(body)],
    ["was asked for its body", (body) => [new Response(body)].filter((response) => response.body)[0] as Response],
  ])("that %s, and whose stream fails before its first byte, is the function's error", async (_what, responseOf) => {
    const served = await serve(() => responseOf(new ReadableStream({ pull: () => Promise.reject(new Error("no upstream")) })));
    const answer = await served.ask("/");
    expect([answer.status, platformHeaders(answer)]).toEqual([500, ["x-berth-error"]]);
    expect(JSON.parse(String(answer.body)).error).toEqual({ code: "FUNCTION_ERROR", message: expect.stringContaining("no upstream") });
    await until(async () => served.settled === 1, "the invocation has settled");
  });

  test.each<[string, (...args: never[]) => unknown]>([
    ["fetch() returned undefined, not a Response", () => {}],
    ["args[1].end is not a function", (...args: { end(text: string): void }[]) => (args[1] as { end(text: string): void }).end("x")],
    ["res.status is not a function", async (_req: unknown, res: { status(code: number): unknown } = {} as never) => res.status(200)],
    ["next is not a function", (_req: unknown, _res?: unknown, next?: () => void) => (next as () => void)()],
  ])("that a handler for (req, res) does not give is told with the way to deploy it: %s", async (message, handler) => {
    const served = await Served.start(fetchHandle(handler, { functionName: "f", env: {} }));
    closing.push(() => served.close());
    const told = JSON.parse(String((await served.ask("/")).body)).error.message;
    expect(told).toBe(`${message}; a handler that is called as (req, res) and answers by itself is deployed with --signature node`);
  });

  test("that an object's fetch does not return is reported as such, and so are other errors of a function", async () => {
    const named = await serve((_request, env) => (env as unknown as { end(): void }).end());
    const bare = await Served.start(fetchHandle(() => (undefined as never as () => void)(), { functionName: "f", env: {} }));
    closing.push(() => bare.close());
    for (const served of [named, bare]) {
      const told = JSON.parse(String((await served.ask("/")).body)).error.message;
      expect(told).toMatch(/is not a function$/);
    }
  });
});
