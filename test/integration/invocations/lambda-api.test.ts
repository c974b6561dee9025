import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTemporary } from "../../../cli/up.ts";
import { TestBerth } from "../../helpers/berth.ts";
import { PYTHON } from "../../helpers/python.ts";

const HANDLER = `exports.handler = async (event, context) => {
  if (event === null) return undefined;
  if (event.say) for (const line of event.say) console.log(line);
  if (event.mutter) process.stderr.write(event.mutter);
  if (event.fail) throw new RangeError(event.fail);
  if (event.exit) process.exit(3);
  if (event.loop) return (event.loop = event);
  if (event.sleep) await new Promise((resolve) => setTimeout(resolve, event.sleep));
  return { statusCode: 404, event, id: context.awsRequestId };
};`;
const HTTP = `exports.default = async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  res.writeHead(req.url === "/" ? 201 : 404, { "x-amz-function-error": "forged", "x-own": "1" });
  res.end(JSON.stringify({ method: req.method, headers: req.headers, body: Buffer.concat(chunks).toString() }));
};`;

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
  await berth.deploy("handler", HANDLER, { timeout: "1s" }, "index.cjs");
  await berth.deploy("http", HTTP, { signature: "node" }, "index.cjs");
});
afterAll(() => berth.close());

const call = (name: string, payload: string | undefined = undefined, headers: Record<string, string> = {}, query = "", url = berth.berth.invokeUrl) =>
  fetch(`${url}/2015-03-31/functions/${name}/invocations${query}`, { method: "POST", headers, ...(payload !== undefined && { body: payload }) });

const failureOf = (response: Response) => [response.status, response.headers.get("x-amz-function-error")];
const errorOf = async (response: Response) => {
  const { Type, Message, Reason } = (await response.json()) as Record<string, string>;
  return [response.status, response.headers.get("x-amzn-errortype"), Type, Message ?? "", Reason];
};

describe("Invoke of Lambda's API", () => {
  test("gives the payload to the handler, and its result to the client", async () => {
    const response = await call("handler", '{"a":[1,"ü"]}', { "x-call-id": "c1" });
    expect([...failureOf(response), response.headers.get("x-amzn-requestid"), response.headers.get("x-amz-executed-version")]).toEqual([200, null, "c1", "r1"]);
    expect(await response.json()).toEqual({ statusCode: 404, event: { a: [1, "ü"] }, id: "c1" });
    expect((await (await call("handler")).json()).event).toEqual({});
    expect(await (await call("handler", "null")).text()).toBe("null");
    expect((await (await call("handler", JSON.stringify({ big: "x".repeat(300_000) }))).json()).event.big.length).toBe(300_000);
  });

  test("is what a client asks for alone: it cannot say by itself that its body is an event", async () => {
    const answer = await berth.invoke("handler", { method: "POST", body: "{}", headers: { "x-berth-event": "1" } });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe("");
  });

  test("tells what the handler throws", async () => {
    const thrown = await call("handler", '{"fail":"out of it"}');
    expect(failureOf(thrown)).toEqual([200, "Unhandled"]);
    expect(await thrown.json()).toEqual({ errorType: "RangeError", errorMessage: "out of it", trace: expect.arrayContaining(["RangeError: out of it"]) });
    const circular = await call("handler", '{"loop":true}');
    expect([failureOf(circular), (await circular.json()).errorType]).toEqual([[200, "Unhandled"], "TypeError"]);
  });

  test.each([
    ['{"sleep":5000}', "Sandbox.Timedout", /did not finish within 1000 ms/],
    ['{"exit":true}', "Runtime.ExitError", /code 3/],
  ])("tells how %s ended, as an error of the function that no client sends again by itself", async (payload, errorType, errorMessage) => {
    const response = await call("handler", payload);
    expect(failureOf(response)).toEqual([200, "Unhandled"]);
    expect(await response.json()).toEqual({ errorType, errorMessage: expect.stringMatching(errorMessage) });
  });

  test("posts the payload to a function that answers HTTP, without what belongs to the call", async () => {
    const headers = { authorization: "AWS4-HMAC-SHA256 Credential=x", "x-amz-security-token": "t", "content-type": "application/octet-stream" };
    const response = await call("http", '{"a":1}', headers);
    expect([...failureOf(response), response.headers.get("x-own")]).toEqual([200, null, "1"]);
    const seen = await response.json();
    expect([seen.method, seen.body, seen.headers["content-type"], seen.headers.authorization, seen.headers["x-amz-security-token"]]).toEqual([
      "POST",
      '{"a":1}',
      "application/json",
      undefined,
      undefined,
    ]);
  });

  test("knows Lambda's errors", async () => {
    expect(await errorOf(await call("none", "{}"))).toEqual([
      404,
      "ResourceNotFoundException",
      "User",
      expect.stringMatching(/"none".*FUNCTION_NOT_FOUND/),
      undefined,
    ]);
    expect((await errorOf(await call("handler", "{}", {}, "?Qualifier=r9"))).slice(0, 2)).toEqual([404, "ResourceNotFoundException"]);
    expect((await errorOf(await call("handler", "{}", { "x-amz-invocation-type": "Event" }))).slice(0, 2)).toEqual([501, "NotImplementedException"]);
    expect((await errorOf(await call("handler", "{}", { "x-amz-invocation-type": "Later" }))).slice(0, 2)).toEqual([400, "InvalidParameterValueException"]);
    expect((await errorOf(await call("handler", "{no json"))).slice(0, 2)).toEqual([400, "InvalidRequestContentException"]);
    expect((await errorOf(await fetch(`${berth.berth.invokeUrl}/2015-03-31/functions/`))).slice(0, 2)).toEqual([404, "UnknownOperationException"]);
  });

  test("gives the end of the invocation's log to who asks for it, in base64", async () => {
    const logOf = async (payload: object, type = "Tail") => {
      const logged = (await call("handler", JSON.stringify(payload), { "x-amz-log-type": type })).headers.get("x-amz-log-result");
      return logged === null ? null : Buffer.from(logged, "base64").toString();
    };
    const others = [1, 2, 3].map((i) => logOf({ say: [`other ${i}`], sleep: 50 }));
    expect(await logOf({ say: ["one", "zwei ü"], mutter: "unfinished", sleep: 20 })).toBe("one\nzwei ü\nunfinished\n");
    expect(await Promise.all(others)).toEqual(["other 1\n", "other 2\n", "other 3\n"]);
    expect([await logOf({}), await logOf({ say: ["x"] }, "None")]).toEqual(["", null]);
    const long = (await logOf({ say: ["x".repeat(5000), "end"] })) as string;
    expect([long.length, long.endsWith("xx\nend\n")]).toEqual([4096, true]);
    expect(await logOf({ say: ["before"], fail: "boom" })).toMatch(/^before\nRangeError: boom\n +at /);
    expect((await call("http", "{}", { "x-amz-log-type": "Tail" })).headers.get("x-amz-log-result")).toBe(null);
  });

  test.skipIf(!PYTHON)("gives the end of the log of a handler in Python", async () => {
    const source = `import logging, sys
def lambda_handler(event, context):
    print("first")
    sys.stderr.write("x" * event.get("many", 0) + "unfinished")
    if "fail" in event: raise KeyError(event["fail"])
    return event`;
    await berth.deploy("python", source, { runtime: "python" }, "main.py");
    const logOf = async (payload: object) => {
      const logged = (await call("python", JSON.stringify(payload), { "x-amz-log-type": "Tail" })).headers.get("x-amz-log-result");
      return Buffer.from(logged as string, "base64").toString();
    };
    expect(await logOf({})).toBe("first\nunfinished\n");
    const long = await logOf({ many: 5000 });
    expect([long.length, long.endsWith("xunfinished\n")]).toEqual([4096, true]);
    expect(await logOf({ fail: "boom" })).toMatch(/^first\nunfinished[\s\S]*KeyError: 'boom'\n$/);
    expect((await call("python", "{}")).headers.get("x-amz-log-result")).toBe(null);
  });

  test("takes a dry run, ARNs and qualifiers", async () => {
    const dry = (name: string) => call(name, "{}", { "x-amz-invocation-type": "DryRun" });
    expect([(await dry("handler")).status, (await dry("none")).status]).toEqual([204, 404]);
    const arn = await call("arn%3Aaws%3Alambda%3Alocal%3A000000000000%3Afunction%3Ahandler", "{}", {}, "?Qualifier=r1");
    expect((await arn.json()).event).toEqual({});
  });
});

test("the limits of every invocation apply, and a function's words stay in its log unless they are exposed", async () => {
  const small = new TestBerth(await startTemporary({ poolSize: 1, maxBody: 1000, exposeErrors: false }));
  const { invokeUrl } = small.berth;
  await small.deploy("handler", HANDLER, { concurrency: 1, maxScale: 1, queueDepth: 1 }, "index.cjs");
  expect((await errorOf(await call("handler", JSON.stringify("x".repeat(2000)), {}, "", invokeUrl))).slice(0, 2)).toEqual([413, "RequestTooLargeException"]);
  const thrown = await call("handler", '{"fail":"secret"}', {}, "", invokeUrl);
  expect([failureOf(thrown), await thrown.json()]).toEqual([
    [200, "Unhandled"],
    { errorType: "FUNCTION_ERROR", errorMessage: "the function's handler threw an error" },
  ]);
  const tail = await call("handler", '{"say":["secret"]}', { "x-amz-log-type": "Tail" }, "", invokeUrl);
  expect([tail.status, tail.headers.get("x-amz-log-result"), tail.headers.get("x-berth-log")]).toEqual([200, null, null]);
  const busy = await Promise.all([0, 1, 2].map(() => call("handler", '{"sleep":300}', {}, "", invokeUrl)));
  const refused = busy.find(({ status }) => status !== 200) as Response;
  expect(await errorOf(refused)).toEqual([429, "TooManyRequestsException", "User", expect.stringContaining("QUEUE_FULL"), "ConcurrentInvocationLimitExceeded"]);
  await small.close();
});
