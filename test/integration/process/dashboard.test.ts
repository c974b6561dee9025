import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTemporary } from "../../../cli/up.ts";
import { newKey } from "../../../pool-manager/client/api-keys.ts";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";
import { get } from "../../helpers/requests/host-request.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-dashboard-"));
const manage = newKey("someone", ["manage", "invoke"]);
const reader = newKey("monitor", ["monitor"]);
writeFileSync(join(folder, "keys"), `${manage.line}\n${reader.line}\n`);
let open: TestBerth;
let locked: TestBerth;

beforeAll(async () => {
  open = await TestBerth.start({ poolSize: 1, platform: "local" });
  locked = new TestBerth(await startTemporary({ poolSize: 1, apiKeys: join(folder, "keys") }), manage.key);
});
afterAll(async () => {
  await Promise.all([open?.close(), locked?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

interface Invoked {
  status: number;
  start: string;
  body: string;
  phases: Record<string, number>;
}

const at = (berth: TestBerth, path: string, init?: RequestInit) => fetch(berth.berth.manageUrl + path, init);

test("the page is served without a key, under a policy that allows nothing but itself, and is small", async () => {
  let zipped = 0;
  for (const path of ["/", "/dashboard/app.js", "/dashboard/app.css"]) {
    const response = await at(locked, path);
    expect([path, response.status]).toEqual([path, 200]);
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/);
    const body = await response.text();
    // Neither a host of others nor a script in the page.
    expect(body).not.toMatch(/(src|href)=["']?(https?:)?\/\//);
    zipped += gzipSync(body).length;
    const again = await at(locked, path, { headers: { "if-none-match": response.headers.get("etag") ?? "" } });
    expect([again.status, (await again.text()).length]).toEqual([304, 0]);
  }
  expect(zipped).toBeLessThan(250_000);
});

test("everything else requires the key", async () => {
  for (const path of ["/v1/overview", "/v1/overview?follow=true", "/v1/functions/x/statistics", "/dashboard", "/dashboard/", "/dashboard/app.js/x", "//"]) {
    expect([path, (await at(locked, path)).status]).toEqual([path, 401]);
  }
  const invoked = await at(locked, "/v1/functions/x/invoke", { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  expect(invoked.status).toBe(401);
  expect((await at(locked, "/v1/overview", { headers: { authorization: `Bearer ${reader.key}` } })).status).toBe(403);
  expect((await at(locked, "/v1/overview", { headers: { authorization: `Bearer ${manage.key}` } })).status).toBe(200);
});

test.each([
  ["a link of another site is followed", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 200],
  ["a frame of another site stays empty", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, 403],
  ["a page of another site does not read the page", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }, 403],
  ["a link does not lead to data", "/v1/overview", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 403],
  ["a name that leads here does not help (DNS rebinding)", "/", { host: "evil.example" }, 403],
  ["nor for data", "/v1/overview", { host: "evil.example" }, 403],
])("%s", async (_what, path, headers, status) => {
  expect(await get(open.berth.manageUrl, path, headers)).toBe(status);
});

test("a function is invoked through the manage API, with the caller's key at the router", async () => {
  for (const berth of [open, locked]) {
    await berth.deploy("echo", ECHO);
    const answer = (await berth.api.call("POST", "/v1/functions/echo/invoke", {
      path: "/a/b?c=d",
      body: "text",
      headers: { "content-type": "text/plain" },
    })) as Invoked;
    expect([answer.status, JSON.parse(answer.body).body]).toEqual([200, "text"]);
    expect(JSON.parse(answer.body).url).toMatch(/\/a\/b\?c=d$/);
    expect(answer.start).toMatch(/^(prewarmed|cold)$/);
    expect(Object.keys(answer.phases)).toEqual(["queue", "claim", "load", "run"]);
  }
  await expect(open.api.call("POST", "/v1/functions/none/invoke", {})).rejects.toMatchObject({ code: "FUNCTION_NOT_FOUND" });
  await expect(open.api.call("POST", "/v1/functions/echo/invoke", { path: "http://other/" })).rejects.toMatchObject({ code: "BODY_INVALID" });
  await expect(open.api.call("POST", "/v1/functions/echo/invoke", { path: "/ HTTP/1.1\r\nx: y" })).rejects.toMatchObject({ code: "BODY_INVALID" });
  await expect(open.api.call("POST", "/v1/functions/echo/invoke", { headers: { "x\r\ny": "z" } })).rejects.toMatchObject({ code: "BODY_INVALID" });
});

test("the overview has the invocations that a router has counted, and where instances are", async () => {
  await open.deploy("counted", ECHO);
  for (let i = 0; i < 5; i++) await open.invoke("counted");
  type Row = { id: string; warm: number; statistics: { invocations: number; starts: { prewarmed: number; cold: number }; phases: object } | null };
  const row = async () => (await open.api.get<{ functions: Row[] }>("/v1/overview")).functions.find(({ id }) => id === "counted");
  await until(async () => (await row())?.statistics?.invocations === 5, "five invocations are counted");
  const found = await row();
  const { prewarmed = 0, cold = 0 } = found?.statistics?.starts ?? {};
  expect([found?.warm, prewarmed + cold]).toEqual([1, 1]);
  expect(Object.keys(found?.statistics?.phases ?? {})).toEqual(["queue", "claim", "load", "run", "total"]);
  const { points } = await open.api.get<{ points: { warm: number; prewarmed: number; cold: number }[] }>("/v1/functions/counted/statistics");
  expect(points.reduce((sum, point) => sum + point.warm + point.prewarmed + point.cold, 0)).toBe(5);
});
