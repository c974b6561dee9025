import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ECHO, ON_CLUSTER, TestBerth } from "../../helpers/berth.ts";
import { refused as refusal } from "../../helpers/requests/refused.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 0 });
});
afterAll(() => berth.close());

const code = async (text: string) => berth.upload(text);

const refused = (method: string, path: string, body?: unknown) => refusal(berth, method, path, body);

describe("bad input", () => {
  test.each([
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: "many" }, "concurrency"],
    [{ timeout: "soon" }, "timeout"],
    [{ timeout: "9h" }, "timeout"],
    [{ minScale: 5, maxScale: 2 }, "minScale"],
    [{ runtime: "cobol" }, "runtime"],
    [{ env: { "BAD-NAME": "1" } }, "env.BAD-NAME"],
    [{ env: { NODE_OPTIONS: "--inspect" } }, "env.NODE_OPTIONS"],
    [{ secrets: { A: "1" }, env: { A: "2" } }, "secrets.A"],
    [{ colour: "red" }, "colour"],
  ])("a manifest with %j is refused with the field %s", async (manifest, field) => {
    const error = await refused("PUT", "/v1/functions/bad", { ...manifest, code: await code(ECHO) });
    expect([error.status, error.code, error.field]).toEqual([400, "MANIFEST_INVALID", field]);
    expect(error.fix).not.toBe("");
  });

  test.each(["Hello", "a_b", "-a", "a-", "x".repeat(64), "__proto__", "%2Fetc%2Fpasswd"])("the name %s is refused", async (name) => {
    const error = await refused("PUT", `/v1/functions/${name}`, { code: await code(ECHO) });
    expect([error.status, error.code, error.field]).toEqual([400, "NAME_INVALID", "name"]);
  });

  test("unknown functions, pools, revisions, code and routes", async () => {
    expect(await refused("GET", "/v1/functions/nobody")).toMatchObject({ status: 404, code: "FUNCTION_NOT_FOUND" });
    expect(await refused("PATCH", "/v1/functions/nobody", { minScale: 1 })).toMatchObject({ status: 404, code: "FUNCTION_NOT_FOUND" });
    expect(await refused("PATCH", "/v1/pools/nobody", { size: 1 })).toMatchObject({ status: 404, code: "POOL_NOT_FOUND" });
    expect(await refused("PATCH", "/v1/pools/node", { size: 9, max: 3 })).toMatchObject({ status: 400, code: "POOL_INVALID", field: "size" });
    if (!ON_CLUSTER) expect(await refused("PUT", "/v1/pools/node", { size: 4728 })).toMatchObject({ status: 400, code: "POOL_TOO_LARGE", field: "size" });
    expect(await refused("PUT", "/v1/functions/x", { code: `sha256:${"0".repeat(64)}` })).toMatchObject({ status: 400, code: "CODE_UNKNOWN" });
    expect(await refused("GET", "/v1/nothing")).toMatchObject({ status: 404, code: "ROUTE_NOT_FOUND" });
  });

  test("JSON that is broken or hostile", async () => {
    for (const body of ["{", '{"__proto__": {"a": 1}}', "[]"]) {
      const response = await fetch(`${berth.berth.manageUrl}/v1/functions/x`, { method: "PUT", body, headers: { "content-type": "application/json" } });
      expect(response.status).toBe(400);
    }
  });

  test("JSON that curl sends as a form is refused with the header that is missing", async () => {
    const response = await fetch(`${berth.berth.manageUrl}/v1/pools/node`, {
      method: "PATCH",
      body: '{"size": 1}',
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("content-type: application/json")]);
  });

  test("a body that is too large is told as what it is", async () => {
    const env = { A: "x".repeat(1024 * 1024) };
    expect(await refused("PUT", "/v1/functions/x", { env })).toMatchObject({ status: 413, code: "BODY_TOO_LARGE" });
    expect(await refused("PUT", "/v1/functions/x/traffic", { aliases: env })).toMatchObject({ status: 413, code: "BODY_TOO_LARGE" });
  });

  test("a rollback takes no body or an object, and nothing else", async () => {
    expect(await refused("POST", "/v1/functions/nobody/rollback")).toMatchObject({ status: 404, code: "FUNCTION_NOT_FOUND" });
    expect(await refused("POST", "/v1/functions/nobody/rollback", {})).toMatchObject({ status: 404, code: "FUNCTION_NOT_FOUND" });
    expect(await refused("POST", "/v1/functions/nobody/rollback", null)).toMatchObject({ status: 400, code: "BODY_INVALID" });
  });

  test("an upload that is no tar, leaves its directory, or has no entry module", async () => {
    const upload = (body: Uint8Array) =>
      fetch(`${berth.berth.manageUrl}/v1/code`, { method: "POST", body: body as Uint8Array<ArrayBuffer>, headers: { "content-type": "application/x-tar" } });
    const data = new TextEncoder().encode("x");
    for (const tar of [new Uint8Array(2000).fill(65), await packLayer([{ path: "../index.mjs", data }]), await packLayer([{ path: "other.txt", data }])]) {
      const response = await upload(tar);
      expect([response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([400, "CODE_INVALID"]);
    }
  });

  test.each([
    ["Host", { host: "evil.example" }],
    ["Origin", { origin: "http://evil.example" }],
    ["Origin", { origin: "null" }],
  ])("a foreign %s is refused", async (_what, headers) => {
    const { port } = new URL(berth.berth.manageUrl);
    const status = await new Promise((resolve) => {
      request({ port, path: "/v1/functions", headers }, (res) => resolve(res.resume().statusCode)).end();
    });
    expect(status).toBe(403);
  });
});
