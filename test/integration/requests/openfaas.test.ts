/** Requests as faas-cli 0.18.12 was seen to send them, with what it makes of the answers: the statuses it branches on, and the bodies it reads. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTemporary } from "../../../cli/up.ts";
import { newKey } from "../../../pool-manager/client/api-keys.ts";
import { ECHO, ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";

const LOUD = `export default { fetch(request, env, { callId }) {
  for (let i = 0; i < 3; i++) console.log("line", i, callId);
  return new Response("ok");
} };`;
const keys = { manage: newKey("admin", ["manage"]), invoke: newKey("callers", ["invoke"]) };

let berth: TestBerth;
beforeAll(async () => {
  const apiKeys = join(mkdtempSync(join(tmpdir(), "berth-keys-")), "keys");
  writeFileSync(apiKeys, `${keys.manage.line}\n${keys.invoke.line}\n`);
  berth = new TestBerth(await startTemporary({ host: "0.0.0.0", apiKeys, poolSize: 1 }), keys.manage.key);
  await berth.deploy("echo", ECHO, { env: { TONE: "warm" } });
  await berth.deploy("loud", LOUD);
});
afterAll(() => berth.close());

const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`admin:${key}`).toString("base64")}` });

/** Sends a request as `faas-cli` does: to the one address that it knows, with the credentials of `faas-cli login`. */
function send(method: string, path: string, body?: object, credentials: Record<string, string> = basic(keys.manage.key)): Promise<Response> {
  const headers = { "user-agent": "faas-cli/dev", "accept-encoding": "gzip", ...credentials, ...(body && { "content-type": "application/json" }) };
  return fetch(berth.berth.invokeUrl + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

interface Status {
  name: string;
  image: string;
  envVars: Record<string, string>;
  labels: Record<string, string>;
  secrets: string[];
  availableReplicas: number;
  invocationCount: number;
  createdAt: string;
}

/** Posts as curl does, with its default content type. */
const curl = (path: string, body: string) =>
  fetch(berth.berth.invokeUrl + path, { method: "POST", headers: { ...basic(keys.manage.key), "content-type": "application/x-www-form-urlencoded" }, body });

const describeFunction = async (name: string) => (await send("GET", `/system/function/${name}?usage=1`)).json() as Promise<Status>;
const refusal = async (response: Response | Promise<Response>) => {
  const { status, headers } = await response;
  const text = await (await response).text();
  return [status, headers.get("content-type"), / \(([A-Z_]+)\): ./.exec(text)?.[1]];
};
const TEXT = "text/plain; charset=utf-8";

describe.skipIf(ON_CLUSTER)("faas-cli", () => {
  test("logs in with a key as its password, or presents it as a token", async () => {
    for (const credentials of [basic(keys.manage.key), { authorization: `Bearer ${keys.manage.key}` }]) {
      expect((await send("GET", "/system/functions", undefined, credentials)).status).toBe(200);
    }
    for (const credentials of [{ authorization: "Bearer" }, basic("wrong"), { authorization: "Basic %" }, {}]) {
      expect(await refusal(send("GET", "/system/functions", undefined, credentials))).toEqual([401, TEXT, "KEY_MISSING"]);
    }
    expect(await refusal(send("GET", "/system/functions", undefined, basic(keys.invoke.key)))).toEqual([403, TEXT, "KEY_REFUSED"]);
    const elsewhere = await fetch(`${berth.berth.manageUrl}/v1/functions`, { headers: basic(keys.manage.key) });
    expect(elsewhere.status, "a password counts for OpenFaaS's clients alone").toBe(401);
  });

  test("waits for the gateway, and shows its version and namespaces", async () => {
    expect((await fetch(`${berth.berth.invokeUrl}/healthz`)).status).toBe(200);
    const version = { release: expect.stringMatching(/^\d+\./), sha: "" };
    expect(await (await send("GET", "/system/info")).json()).toEqual({
      provider: { provider: "berth", orchestration: "local", version },
      version,
      arch: expect.any(String),
    });
    expect(await (await send("GET", "/system/namespaces")).json()).toEqual(["openfaas-fn"]);
    expect(await (await send("GET", "/system/namespace/openfaas-fn")).json()).toEqual({ name: "openfaas-fn", annotations: {}, labels: {} });
    expect(await refusal(send("POST", "/system/namespace/", { name: "dev" }))).toEqual([501, TEXT, "NAMESPACE_UNSUPPORTED"]);
    expect(await refusal(send("GET", "/system/functions?namespace=dev"))).toEqual([400, TEXT, "NAMESPACE_UNKNOWN"]);
  });

  test("invokes a function by its name and namespace, with a key in a header of its own", async () => {
    const invoke = (path: string, key = keys.invoke.key) =>
      fetch(berth.berth.invokeUrl + path, { method: "POST", body: "hi", headers: { "content-type": "text/plain", "x-berth-api-key": key } });
    const answer = await invoke("/function/echo.openfaas-fn?a=1");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ body: "hi", method: "POST", url: expect.stringMatching(/\/\?a=1$/) });
    expect((await invoke("/function/echo.dev")).status).toBe(404);
    expect((await invoke("/function/echo.openfaas-fn", "wrong")).status).toBe(401);
    expect([(await invoke("/async-function/echo.openfaas-fn")).status, (await invoke("/function/echo@r1")).status]).toEqual([501, 200]);
    await until(async () => (await describeFunction("echo")).invocationCount === 2, "both are counted");
  });

  test("lists and describes functions, and finds one without instances ready", async () => {
    const list = (await (await send("GET", "/system/functions")).json()) as Status[];
    expect(list.map(({ name }) => name)).toEqual(["echo", "loud"]);
    await until(async () => (await describeFunction("loud")).availableReplicas === 1, "an instance of the pool is free for it");
    const echo = await describeFunction("echo");
    expect(echo).toMatchObject({ image: expect.stringMatching(/^berth\/code@sha256:/), envVars: { TONE: "warm" }, secrets: [], namespace: "openfaas-fn" });
    expect(new Date(echo.createdAt).getTime()).toBeGreaterThan(0);
    expect(await refusal(send("GET", "/system/function/none?usage=1"))).toEqual([404, TEXT, "FUNCTION_NOT_FOUND"]);
  });

  test("deploys code that there is, changes it, and removes it", async () => {
    const { image } = await describeFunction("echo");
    const labels = { "com.openfaas.scale.max": "3" };
    const deployment = { service: "copy", image, envVars: { A: "1" }, labels, annotations: {} };
    expect(await refusal(send("PUT", "/system/functions", deployment)), "the command then creates it").toEqual([404, TEXT, "FUNCTION_NOT_FOUND"]);
    expect((await send("POST", "/system/functions", deployment)).status).toBe(202);
    expect(await refusal(send("POST", "/system/functions", deployment))).toEqual([409, TEXT, "FUNCTION_EXISTS"]);
    expect((await send("PUT", "/system/functions", { ...deployment, envVars: { B: "2" }, labels: {} })).status).toBe(202);
    expect(await describeFunction("copy")).toMatchObject({ envVars: { B: "2" }, labels });
    expect((await (await berth.invoke("copy", { headers: { "x-berth-api-key": keys.invoke.key } })).json()).env).toMatchObject({ B: "2" });
    expect((await send("POST", "/system/scale-function/copy", { serviceName: "copy", replicas: 2 })).status).toBe(202);
    expect((await describeFunction("copy")).labels["com.openfaas.scale.min"]).toBe("2");
    expect((await curl("/system/scale-function/copy", '{"serviceName": "copy", "replicas": 2}')).status).toBe(202);
    expect(await refusal(curl("/system/scale-function/copy", "replicas=2"))).toEqual([400, TEXT, "BODY_INVALID"]);
    expect(await refusal(send("POST", "/system/scale-function/copy", { serviceName: "copy", replicas: 4 }))).toEqual([400, TEXT, "MANIFEST_INVALID"]);
    expect((await send("DELETE", "/system/functions", { functionName: "copy" })).status).toBe(202);
    expect(await refusal(send("DELETE", "/system/functions", { functionName: "copy" }))).toEqual([404, TEXT, "FUNCTION_NOT_FOUND"]);
  });

  test.each([
    [{ image: "registry.example/f:1" }, "IMAGE_NEEDS_CLUSTER"],
    [{ image: `berth/code@sha256:${"0".repeat(64)}` }, "CODE_UNKNOWN"],
    [{ image: "echo's", service: "Bad_Name" }, "NAME_INVALID"],
    [{ image: "echo's", namespace: "dev" }, "NAMESPACE_UNKNOWN"],
    [{ image: "echo's", secrets: ["T"] }, "SECRET_MISSING"],
    [{ image: 1 }, "BODY_INVALID"],
  ])("is told why it cannot deploy %j", async (fields, code) => {
    const { image } = await describeFunction("echo");
    const deployment = { service: "new", labels: {}, annotations: {}, ...fields, ...(fields.image === "echo's" && { image }) };
    expect(await refusal(send("POST", "/system/functions", deployment))).toEqual([400, TEXT, code]);
  });

  test("lists, updates and removes the secrets of functions", async () => {
    await berth.deploy("one", ECHO, { secrets: { TOKEN: "a" } });
    await berth.deploy("two", ECHO, { secrets: { TOKEN: "a", OTHER: "b" } });
    const list = async () => ((await (await send("GET", "/system/secrets")).json()) as { name: string }[]).map(({ name }) => name);
    const valueIn = async (name: string) => (await (await berth.invoke(name, { headers: { "x-berth-api-key": keys.invoke.key } })).json()).env;
    expect(await list()).toEqual(["OTHER", "TOKEN"]);
    expect(await refusal(send("POST", "/system/secrets", { name: "TOKEN", value: "c" }))).toEqual([409, TEXT, "SECRET_EXISTS"]);
    expect(await refusal(send("POST", "/system/secrets", { name: "api-key", value: "c" }))).toEqual([501, TEXT, "SECRET_UNSUPPORTED"]);
    const rawValue = Buffer.from("ü").toString("base64");
    expect((await send("PUT", "/system/secrets", { name: "TOKEN", value: "�", rawValue })).status).toBe(202);
    expect([(await valueIn("one")).TOKEN, (await valueIn("two")).TOKEN, (await valueIn("two")).OTHER]).toEqual(["ü", "ü", "b"]);
    expect(await refusal(send("PUT", "/system/secrets", { name: "TOKEN", rawValue: "/w==" }))).toEqual([400, TEXT, "MANIFEST_INVALID"]);
    const { image } = await describeFunction("two");
    expect((await send("PUT", "/system/functions", { service: "two", image, secrets: ["TOKEN"] })).status).toBe(202);
    expect((await describeFunction("two")).secrets.sort(), "secrets that a deployment does not name are kept").toEqual(["OTHER", "TOKEN"]);
    expect((await send("DELETE", "/system/secrets", { name: "TOKEN" })).status).toBe(202);
    expect([await list(), (await valueIn("one")).TOKEN]).toEqual([["OTHER"], undefined]);
    expect(await refusal(send("DELETE", "/system/secrets", { name: "TOKEN" }))).toEqual([404, TEXT, "SECRET_UNKNOWN"]);
  });

  test("reads and follows logs as lines of JSON", async () => {
    const invoke = (id: string) => berth.invoke("loud", { headers: { "x-berth-api-key": keys.invoke.key, "x-call-id": id } });
    const logs = async (query: string) => (await (await send("GET", `/system/logs?name=loud&${query}`)).text()).trim().split("\n");
    await invoke("a");
    await until(async () => (await logs("follow=false&tail=-1")).length === 3, "three lines");
    const [last = ""] = await logs("follow=false&tail=1");
    const message = { name: "loud", namespace: "openfaas-fn", instance: expect.any(String), timestamp: expect.any(String), text: "line 2 a" };
    expect(JSON.parse(last)).toEqual(message);
    expect(await logs("follow=false&since=2100-01-01T00:00:00Z")).toEqual([""]);
    expect(await logs("follow=false&instance=none")).toEqual([""]);
    expect(await refusal(send("GET", "/system/logs?name=loud&since=1h"))).toEqual([400, TEXT, "PARAMETER_INVALID"]);
    expect(await refusal(send("GET", "/system/logs?name=none&follow=true&tail=-1"))).toEqual([404, TEXT, "FUNCTION_NOT_FOUND"]);
    const stream = await send("GET", "/system/logs?name=loud&follow=true&tail=1");
    expect(stream.headers.get("content-type")).toBe("application/x-ndjson");
    await invoke("b");
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream.body as ReadableStream<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("line 2 b")) break;
    }
    const texts = text.split("\n").flatMap((line) => (line === "" ? [] : (JSON.parse(line) as { text: string }).text));
    expect(texts).toEqual(["line 2 a", "line 0 b", "line 1 b", "line 2 b"]);
  });
});
