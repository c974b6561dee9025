import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTemporary } from "../../../cli/up.ts";
import { newKey, type Role } from "../../../pool-manager/client/api-keys.ts";
import { ECHO, TestBerth } from "../../helpers/berth.ts";

const made = Object.fromEntries((["invoke", "manage", "route", "monitor"] as const).map((role) => [role, newKey(role, [role])]));
const keyOf = (role: Role) => made[role]?.key ?? "";
const apiKeys = join(mkdtempSync(join(tmpdir(), "berth-keys-")), "keys");

let berth: TestBerth;
beforeAll(async () => {
  writeFileSync(
    apiKeys,
    Object.values(made)
      .map(({ line }) => line)
      .join("\n"),
  );
  berth = new TestBerth(await startTemporary({ host: "0.0.0.0", apiKeys, poolSize: 1 }), keyOf("manage"));
  await berth.deploy("echo", ECHO);
});
afterAll(() => berth.close());

const manage = (path: string, headers: Record<string, string> = {}) => fetch(berth.berth.manageUrl + path, { headers });
const own = (role: Role) => ({ "x-berth-api-key": keyOf(role) });
const as = (role: Role) => ({ authorization: `Bearer ${keyOf(role)}` });

describe("listeners that others can connect to", () => {
  test("are not opened without keys", async () => {
    await expect(startTemporary({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "KEYS_MISSING" });
  });

  test("the manage API takes the role manage, and for its parts route and monitor", async () => {
    expect((await manage("/healthz")).status).toBe(200);
    const missing = await manage("/v1/functions");
    expect([missing.status, (await missing.json()).error.code]).toEqual([401, "KEY_MISSING"]);
    expect((await manage("/v1/functions", { authorization: "Bearer berth_wrong" })).status).toBe(401);
    expect((await manage("/v1/functions", { ...as("manage"), "sec-fetch-site": "cross-site" })).status).toBe(403);
    for (const [role, path, status] of [
      ["manage", "/v1/functions", 200],
      ["invoke", "/v1/functions", 403],
      ["monitor", "/v1/functions", 403],
      ["monitor", "/metrics", 200],
      ["manage", "/metrics", 200],
      ["invoke", "/metrics", 403],
      ["route", "/metrics", 403],
      ["route", "/v1/table", 400],
      ["invoke", "/v1/table", 403],
    ] as const)
      expect([role, path, (await manage(path, as(role))).status]).toEqual([role, path, status]);
    expect((await manage("/v1/functions", { ...as("manage"), host: "example.com", origin: "http://example.com" })).status).toBe(200);
  });

  test("the router takes the role invoke, and no function sees the key", async () => {
    const missing = await berth.invoke("echo");
    expect([missing.status, missing.headers.get("x-berth-error")]).toEqual([401, "KEY_MISSING"]);
    expect((await berth.invoke("echo", { headers: as("invoke") })).status).toBe(401);
    expect((await berth.invoke("echo", { headers: own("monitor") })).status).toBe(403);
    const answer = await berth.invoke("echo", { headers: { "x-berth-api-key": keyOf("invoke"), authorization: "Basic of-the-function" } });
    const seen = await answer.text();
    expect(answer.status).toBe(200);
    expect(seen).toContain("of-the-function");
    expect(seen).not.toContain(keyOf("invoke"));
  });

  test("a client of Lambda's API presents the key as its session token, and learns nothing without it", async () => {
    const call = async (headers: Record<string, string>, name = "echo") => {
      const response = await fetch(`${berth.berth.invokeUrl}/2015-03-31/functions/${name}/invocations`, { method: "POST", headers, body: "{}" });
      return { status: response.status, type: response.headers.get("x-amzn-errortype"), text: await response.text() };
    };
    const token = (role: Role) => ({ "x-amz-security-token": keyOf(role) });
    const insufficient: Record<string, string>[] = [{}, as("invoke"), { "x-amz-security-token": "wrong" }];
    for (const headers of insufficient) {
      expect(await call(headers)).toMatchObject({ status: 403, type: "UnrecognizedClientException" });
      expect((await call(headers, "none")).type).toBe("UnrecognizedClientException");
    }
    expect(await call(token("monitor"))).toMatchObject({ status: 403, type: "AccessDeniedException" });
    expect(await call({ ...token("invoke"), "x-berth-hop": "r" })).toMatchObject({ status: 403, type: "AccessDeniedException" });
    const { status, text } = await call(token("invoke"));
    expect([status, text.includes(keyOf("invoke"))]).toEqual([200, false]);
    expect((await call(own("invoke"))).status).toBe(200);
    expect((await berth.invoke("echo", { headers: token("invoke") })).status).toBe(401);
  });

  test("only routers pass invocations on", async () => {
    const hop = { "x-berth-hop": "r" };
    expect((await berth.invoke("echo", { headers: { ...own("invoke"), ...hop } })).status).toBe(403);
    expect((await berth.invoke("echo", { headers: { ...own("route"), ...hop } })).status).toBe(200);
  });
});
