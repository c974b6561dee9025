import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { customFunctions } from "../../helpers/subjects/custom-functions.ts";

const NODE = process.execPath;

let berth: TestBerth;
const { deploy, answer, logs } = customFunctions(() => berth);
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
});
afterAll(() => berth.close());

const BOOTSTRAP = `#!/bin/sh
exec ${NODE} bootstrap.mjs
`;
const RUNTIME = `
const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/";
const post = (path, body, headers = {}) => fetch(api + path, { method: "POST", body, headers, duplex: "half" });
if (process.env.INIT) { await post("init/error", JSON.stringify({ errorMessage: "no database", errorType: "Init" })); process.exit(1); }
for (;;) {
  const next = await fetch(api + "invocation/next");
  const id = next.headers.get("lambda-runtime-aws-request-id");
  const event = await next.json();
  const path = event.rawPath ?? event.path;
  console.log("event of " + id);
  if (path === "/exit") process.exit(7);
  if (path === "/error") { await post("invocation/" + id + "/error", JSON.stringify({ errorMessage: "not well", errorType: "Oops", stackTrace: ["at here"] })); continue; }
  if (path === "/text") { await post("invocation/" + id + "/response", "plain text"); continue; }
  if (path === "/stream") {
    const parts = ['{"statusCode":202,"headers":{"x-own":"1"}}', "\\0\\0\\0\\0", "\\0\\0\\0\\0one", "two"];
    const body = new ReadableStream({ async pull(c) { const part = parts.shift(); if (part === undefined) return c.close(); c.enqueue(new TextEncoder().encode(part)); await new Promise((r) => setTimeout(r, 20)); } });
    await post("invocation/" + id + "/response", body, { "lambda-runtime-function-response-mode": "streaming", "content-type": "application/vnd.awslambda.http-integration-response" });
    continue;
  }
  const unknown = (await post("invocation/none/response", "{}")).status;
  const seen = { version: event.version, body: event.body, unknown, deadline: Number(next.headers.get("lambda-runtime-deadline-ms")) - Date.now(), arn: next.headers.get("lambda-runtime-invoked-function-arn"), task: process.env.LAMBDA_TASK_ROOT === process.cwd(), name: process.env.AWS_LAMBDA_FUNCTION_NAME };
  await post("invocation/" + id + "/response", JSON.stringify({ statusCode: 200, headers: { "x-own": "1" }, body: JSON.stringify(seen) }));
}
`;

describe.skipIf(ON_CLUSTER)("a bootstrap that speaks the Lambda Runtime API", () => {
  const files = { bootstrap: BOOTSTRAP, "bootstrap.mjs": RUNTIME };

  test("gets events, and answers with results, streams, text and errors", async () => {
    await deploy("boot", files, { concurrency: 1, timeout: "9s" });
    const { status, headers, text } = await answer("boot", "/a", {
      method: "POST",
      body: "hi",
      headers: { "x-call-id": "call-7", "content-type": "text/plain" },
    });
    const { deadline, ...seen } = JSON.parse(text);
    expect([status, headers.get("x-own")]).toEqual([200, "1"]);
    expect(seen).toEqual({ version: "2.0", body: "hi", unknown: 400, arn: expect.stringMatching(/:boot$/), task: true, name: "boot" });
    expect(deadline).toBeGreaterThan(5000);
    const streamed = await answer("boot", "/stream");
    expect([streamed.status, streamed.headers.get("x-own"), streamed.text]).toEqual([202, "1", "onetwo"]);
    expect((await answer("boot", "/text")).text).toBe("plain text");
    const failed = await answer("boot", "/error");
    expect([failed.status, failed.error, JSON.parse(failed.text).error.message]).toEqual([500, "FUNCTION_ERROR", "not well"]);
    await until(async () => (await logs("boot")).some(({ message }) => message.includes("at here")), "the stack is logged");
    expect(await logs("boot")).toContainEqual(expect.objectContaining({ message: "event of call-7", callId: "call-7" }));
  });

  test("runs one invocation per poll, while others wait", async () => {
    await deploy("narrow", files, { concurrency: 1 });
    const all = await Promise.all(Array.from({ length: 5 }, () => answer("narrow")));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await deploy("wide", files, { concurrency: 5, maxScale: 1 });
    expect((await Promise.all(Array.from({ length: 5 }, () => answer("wide")))).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  test("has events of payload format 1.0 by its signature", async () => {
    await deploy("boot-v1", files, { concurrency: 1, signature: "lambda-1.0" });
    expect(JSON.parse((await answer("boot-v1")).text).version).toBe("1.0");
  });

  test("that exits, or fails to initialize, is an error that says so", async () => {
    await deploy("boot-exit", files, { concurrency: 1 });
    const { status, error, text } = await answer("boot-exit", "/exit");
    expect([status, error, text]).toEqual([502, "FUNCTION_CRASHED", expect.stringContaining("exited with code 7")]);
    expect((await answer("boot-exit")).status).toBe(200);
    await deploy("boot-init", files, { env: { INIT: "1" } });
    expect(await answer("boot-init")).toMatchObject({ error: "FUNCTION_LOAD_FAILED", text: expect.stringContaining("no database") });
    await deploy("boot-silent", { bootstrap: "#!/bin/sh\nsleep 1000\n" }, { loadTimeout: "400ms" });
    expect(await answer("boot-silent")).toMatchObject({ error: "FUNCTION_LOAD_TIMEOUT", text: expect.stringContaining("does not ask for an invocation") });
  });
});
