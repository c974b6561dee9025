import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTemporary } from "../../cli/up.ts";
import { newKey } from "../../pool-manager/client/api-keys.ts";
import { TestBerth } from "../helpers/berth.ts";
import { PYTHON } from "../helpers/python.ts";

const CLIENTS = join(import.meta.dirname, "clients");
const python = PYTHON?.command[0] ?? "python3";
const run = promisify(execFile);
const keys = { invoke: newKey("clients", ["invoke"]), manage: newKey("tests", ["manage"]) };

const NODE = `exports.handler = async (event, context) => {
  console.log("has", Object.keys(event).join());
  if (event.fail) throw new TypeError(event.fail);
  return { event, arn: context.invokedFunctionArn };
};`;
const PYTHON_HANDLER = `def lambda_handler(event, context):
    print("has", ",".join(event))
    if "fail" in event: raise TypeError(event["fail"])
    return {"event": event, "arn": context.invoked_function_arn}
`;

let berth: TestBerth;
let url: string;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-test-"));
  const apiKeys = join(folder, "keys");
  writeFileSync(apiKeys, `${keys.invoke.line}\n${keys.manage.line}\n`);
  berth = new TestBerth(await startTemporary({ host: "0.0.0.0", apiKeys, poolSize: 1, exposeErrors: true }), keys.manage.key);
  url = berth.berth.invokeUrl;
  await berth.deploy("node", NODE, {}, "index.cjs");
  if (PYTHON) await berth.deploy("python", PYTHON_HANDLER, { runtime: "python" }, "main.py");
});
afterAll(() => berth.close());

/** The form in which SDKs accept the credentials of a client. */
const credentials = (key: string) => ({
  PATH: process.env.PATH,
  HOME: folder,
  AWS_REGION: "local",
  AWS_DEFAULT_REGION: "local",
  AWS_ACCESS_KEY_ID: "clients",
  AWS_SECRET_ACCESS_KEY: key,
  AWS_SESSION_TOKEN: key,
  AWS_EC2_METADATA_DISABLED: "true",
});

const ARN = "arn:aws:lambda:local:000000000000:function:";
const CALLS = (name: string) => [
  { FunctionName: name, Payload: '{"a":[1,"ü"]}' },
  { FunctionName: name },
  { FunctionName: ARN + name, Qualifier: "r1", Payload: "{}" },
  { FunctionName: name, InvocationType: "DryRun", Payload: "{}" },
  { FunctionName: name, LogType: "Tail", Payload: `{"big":"${"x".repeat(100_000)}"}` },
  { FunctionName: name, LogType: "Tail", Payload: '{"fail":"boom"}' },
  { FunctionName: name, InvocationType: "Event", Payload: "{}" },
  { FunctionName: "none", Payload: "{}" },
  { FunctionName: name, Qualifier: "r7", Payload: "{}" },
  { FunctionName: name, Payload: "{no json" },
];

const EXPECTED = (name: string) => {
  const gave = (event: unknown, log: string | null = null) => ({ status: 200, error: null, version: "r1", log, payload: { event, arn: ARN + name } });
  return [
    gave({ a: [1, "ü"] }),
    gave({}),
    gave({}),
    { status: 204, error: null, version: null, log: null, payload: null },
    gave({ big: "x".repeat(100_000) }, "has big\n"),
    {
      status: 200,
      error: "Unhandled",
      version: "r1",
      log: expect.stringMatching(/^has fail\n(.*\n)*.*TypeError: boom/),
      payload: expect.objectContaining({ errorType: "TypeError", errorMessage: "boom" }),
    },
    { status: 501, refused: "NotImplementedException" },
    { status: 404, refused: "ResourceNotFoundException" },
    { status: 404, refused: "ResourceNotFoundException" },
    { status: 400, refused: "InvalidRequestContentException" },
  ];
};

const results = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => {
      const { payload, log, ...rest } = JSON.parse(line) as { payload?: string; log?: string | null };
      if (payload === undefined) return rest;
      return { ...rest, log: log ? Buffer.from(log, "base64").toString() : null, payload: payload === "" ? null : JSON.parse(payload) };
    });

describe.each([["node"], ["python"]])("a Lambda handler of %s", (name) => {
  test.skipIf(name === "python" && !PYTHON)("is invoked by the SDK for JavaScript", async () => {
    const args = [join(CLIENTS, "lambda-client.mjs"), url, JSON.stringify(CALLS(name))];
    const { stdout } = await run(process.execPath, args, { env: credentials(keys.invoke.key), maxBuffer: 2 ** 24 });
    expect(results(stdout)).toEqual(EXPECTED(name));
  });
});

describe.skipIf(!PYTHON)("clients in Python", () => {
  let packages: string;
  beforeAll(() => {
    packages = join(folder, "packages");
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", packages, "boto3", "awscli"], { stdio: "pipe" });
  }, 120_000);

  test.each([["node"], ["python"]])("boto3 invokes a handler of %s", async (name) => {
    const env = { ...credentials(keys.invoke.key), PYTHONPATH: packages };
    const { stdout } = await run(python, [join(CLIENTS, "boto.py"), url, JSON.stringify(CALLS(name))], { env, maxBuffer: 2 ** 24 });
    expect(results(stdout)).toEqual(EXPECTED(name));
  });

  const aws = (key: string, ...args: string[]) => {
    const env = { ...credentials(key), PYTHONPATH: packages };
    return run(python, ["-m", "awscli", "--endpoint-url", url, "lambda", ...args], { env });
  };

  test("the aws command invokes a handler, and says why it may not", async () => {
    const out = join(folder, "out.json");
    const { stdout } = await aws(keys.invoke.key, "invoke", "--function-name", "node", "--payload", '{"a":1}', out);
    expect(JSON.parse(stdout)).toEqual({ StatusCode: 200, ExecutedVersion: "r1" });
    expect(JSON.parse(readFileSync(out, "utf8")).event).toEqual({ a: 1 });
    await expect(aws("wrong", "invoke", "--function-name", "node", out)).rejects.toThrow(/UnrecognizedClientException.*KEY_MISSING/);
    await expect(aws(keys.manage.key, "invoke", "--function-name", "node", out)).rejects.toThrow(/AccessDeniedException/);
    await expect(aws(keys.invoke.key, "list-functions")).rejects.toThrow(/UnknownOperationException.*there is Invoke alone/);
  });
});
