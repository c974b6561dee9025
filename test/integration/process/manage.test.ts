import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";
import { refused as refusal } from "../../helpers/requests/refused.ts";

const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, stateDir, retention: { graceMs: 0 } });
});
afterAll(() => berth.close());

const blobs = () => readdirSync(join(stateDir, "images/blobs/sha256")).sort();

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
}

interface Operation {
  parameters: { name: string; schema: object }[];
  requestBody: { required: boolean; content: { "application/json": { schema: Schema } } };
}

const refused = (method: string, path: string, body?: unknown) => refusal(berth, method, path, body);

describe("functions", () => {
  test("the same content is no new revision, a change is one, and rollback returns", async () => {
    expect(await berth.deploy("versions", ECHO)).toMatchObject({ revision: "r1", newRevision: true });
    expect(await berth.deploy("versions", ECHO)).toMatchObject({ revision: "r1", newRevision: false });
    expect(await berth.deploy("versions", ECHO, { env: { A: "1" } })).toMatchObject({ revision: "r2", newRevision: true });
    expect(await berth.api.call("PATCH", "/v1/functions/versions", { maxScale: 3 })).toMatchObject({
      revision: "r2",
      newRevision: false,
      maxScale: 3,
      env: { A: "1" },
    });
    expect(await berth.api.call("POST", "/v1/functions/versions/rollback", {})).toMatchObject({ revision: "r1" });
    expect(((await (await berth.invoke("versions")).json()) as { env: object }).env).toEqual({});
    expect(await refused("POST", "/v1/functions/versions/rollback", {})).toMatchObject({ status: 409, code: "NO_OLDER_REVISION" });
    // r2 is active again, r3 never is: rollback from r4 goes past it.
    expect(await berth.deploy("versions", ECHO, { env: { A: "1" } })).toMatchObject({ revision: "r2" });
    expect(await berth.deploy("versions", ECHO, { env: { A: "3" }, canary: 10 })).toMatchObject({ revision: "r2", split: { r3: 10 } });
    expect(await berth.deploy("versions", ECHO, { env: { A: "4" } })).toMatchObject({ revision: "r4" });
    expect(await berth.api.call("POST", "/v1/functions/versions/rollback", {})).toMatchObject({ revision: "r2" });
    expect(await refused("POST", "/v1/functions/versions/rollback", { revision: "r9" })).toMatchObject({ status: 404, code: "REVISION_NOT_FOUND" });
  });

  test("rollback returns to what served before old content was deployed again", async () => {
    for (const letter of ["A", "B", "A"]) await berth.deploy("restored", ECHO, { env: { LETTER: letter } });
    const served = async () => ((await (await berth.invoke("restored")).json()) as { env: object }).env;
    const rollback = () => berth.api.call("POST", "/v1/functions/restored/rollback", {});
    expect([await rollback(), await served()]).toMatchObject([{ revision: "r2" }, { LETTER: "B" }]);
    expect([await rollback(), await served()]).toMatchObject([{ revision: "r1" }, { LETTER: "A" }]);
    expect(await refused("POST", "/v1/functions/restored/rollback", {})).toMatchObject({ status: 409, code: "NO_OLDER_REVISION" });
  });

  test("secrets reach the function, and neither the API nor the image nor a readable file", async () => {
    await berth.deploy("secretive", ECHO, { secrets: { TOKEN: "hunter2-secret" }, env: { OPEN: "visible-env" } });
    expect(((await (await berth.invoke("secretive")).json()) as { env: object }).env).toEqual({ TOKEN: "hunter2-secret", OPEN: "visible-env" });
    for (const path of ["/v1/functions", "/v1/functions/secretive", "/v1/functions/secretive/revisions", "/v1/functions/secretive/logs", "/metrics"]) {
      expect(await (await fetch(berth.berth.manageUrl + path)).text()).not.toContain("hunter2");
    }
    expect(await berth.api.get("/v1/functions/secretive")).toMatchObject({ secrets: ["TOKEN"] });
    for (const name of blobs()) {
      const blob = readFileSync(join(stateDir, "images/blobs/sha256", name), "latin1");
      expect(blob.includes("hunter2") || blob.includes("visible-env")).toBe(false);
    }
    // On a cluster they are in a Secret (test/cluster/api/resources.test.ts).
    if (ON_CLUSTER) return;
    const [file] = readdirSync(join(stateDir, "secrets"));
    expect(statSync(join(stateDir, "secrets", file as string)).mode & 0o777).toBe(0o600);
  });

  test("code images are an OCI layout: every digest is right, and what nothing needs is collected", async () => {
    await until(() => blobs().length > 0, "blobs");
    const before = blobs();
    await berth.deploy("short-lived", "export default { fetch: () => new Response('only here') };");
    await until(
      () =>
        (JSON.parse(readFileSync(join(stateDir, "images/index.json"), "utf8")) as { manifests: { annotations: object }[] }).manifests.some((m) =>
          JSON.stringify(m).includes("short-lived:r1"),
        ),
      "the index names it",
    );
    const { createHash } = await import("node:crypto");
    for (const name of blobs())
      expect(
        createHash("sha256")
          .update(readFileSync(join(stateDir, "images/blobs/sha256", name)))
          .digest("hex"),
      ).toBe(name);
    expect(blobs().length).toBe(before.length + 3);
    await berth.api.call("DELETE", "/v1/functions/short-lived");
    await until(() => blobs().length === before.length, "its blobs are collected");
  });

  test("code stays for a while after its function was deleted, and what nobody was seen to delete stays longer: both can be deployed by digest", async () => {
    const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
    const options = { poolSize: 0, stateDir: dir };
    let other = await TestBerth.start(options);
    const digest = await other.upload("export default { fetch: () => new Response('again') };");
    const deploy = () => other.api.call("PUT", "/v1/functions/again", { code: digest });
    const swept = () => until(() => !readFileSync(join(dir, "images/index.json"), "utf8").includes("again"), "the index has it no more");
    await deploy();
    await other.api.call("DELETE", "/v1/functions/again");
    await swept();
    expect(await deploy()).toMatchObject({ name: "again", revision: "r1" });
    await other.api.call("DELETE", "/v1/functions/again");
    await swept();
    await other.close();
    other = await TestBerth.start(options);
    await other.deploy("another", "export default { fetch: () => new Response('another') };");
    expect(await deploy()).toMatchObject({ name: "again", revision: "r1" });
    await other.close();
  });

  test("logs are kept by function and call id, and can be followed", async () => {
    await berth.deploy(
      "talker",
      "export default { fetch(r) { console.log('hello from', new URL(r.url).pathname); console.error('oops'); return new Response('ok'); } };",
    );
    const response = await berth.invoke("talker", {}, "/one");
    const call = response.headers.get("x-call-id");
    await until(async () => (await lines()).length === 2, "two lines");
    async function lines() {
      return (await berth.api.get<{ items: { message: string; callId: string; stream: string }[] }>(`/v1/functions/talker/logs?call=${call}`)).items;
    }
    expect(await lines()).toMatchObject([
      { message: "hello from /one", callId: call, stream: "out" },
      { message: "oops", callId: call, stream: "err" },
    ]);
    const followed: string[] = [];
    const controller = new AbortController();
    // Its head comes once the stream follows.
    const streamed = await fetch(`${berth.berth.manageUrl}/v1/functions/talker/logs?follow=true&tail=0`, { signal: controller.signal });
    const read = (async () => {
      for await (const chunk of streamed.body as unknown as AsyncIterable<Uint8Array>) followed.push(new TextDecoder().decode(chunk));
    })();
    await berth.invoke("talker", {}, "/two");
    await until(() => followed.join("").includes("hello from /two"), "the line is followed");
    controller.abort();
    await read.catch(() => {});
  });

  test("OpenAPI, the manifest's schema, metrics and health are served", async () => {
    const get = async (path: string) => (await fetch(berth.berth.manageUrl + path)).text();
    const openapi = JSON.parse(await get("/docs/json")) as { paths: object };
    expect(Object.keys(openapi.paths)).toEqual(expect.arrayContaining(["/v1/functions/{name}", "/v1/pools/{name}", "/v1/code", "/v1/events"]));
    expect(JSON.parse(await get("/v1/schemas/function"))).toMatchObject({ properties: { concurrency: { default: 100 } } });
    const metrics = await get("/metrics");
    for (const name of [
      "berth_invocations_total",
      "berth_starts_total",
      "berth_overhead_seconds_bucket",
      "berth_start_phase_seconds_bucket",
      "berth_queue_depth",
      "berth_pool_size",
      "berth_pool_hit_ratio",
    ]) {
      expect(metrics).toContain(name);
    }
    expect(metrics).not.toMatch(/instance="/);
    expect((await fetch(`${berth.berth.manageUrl}/healthz`)).status).toBe(200);
  });

  test("OpenAPI says which names and shares are taken", async () => {
    const { paths } = (await (await fetch(`${berth.berth.manageUrl}/docs/json`)).json()) as { paths: Record<string, Record<string, Operation>> };
    for (const method of ["put", "patch"]) {
      const deploy = paths["/v1/functions/{name}"]?.[method] as Operation;
      expect(deploy.parameters[0]?.schema).toMatchObject({ pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" });
      const { properties, additionalProperties } = deploy.requestBody.content["application/json"].schema;
      expect(JSON.stringify(properties?.env)).toContain(JSON.stringify({ propertyNames: { pattern: "^[A-Za-z_][A-Za-z0-9_]{0,255}$" } }).slice(1, -1));
      expect(properties?.canary).toMatchObject({ minimum: 0, maximum: 100 });
      expect(additionalProperties).toBe(false);
    }
    const traffic = paths["/v1/functions/{name}/traffic"]?.put?.requestBody.content["application/json"].schema;
    expect(traffic?.properties?.split).toMatchObject({ propertyNames: { pattern: "^r\\d+$" }, additionalProperties: { type: "integer", maximum: 100 } });
    const required = (path: string, method: string) => paths[path]?.[method]?.requestBody.required;
    expect([required("/v1/functions/{name}/traffic", "put"), required("/v1/functions/{name}/rollback", "post")]).toEqual([true, false]);
    expect(traffic?.properties?.aliases).toMatchObject({ propertyNames: { pattern: expect.any(String) }, additionalProperties: { type: "string" } });
  });
});

describe("the command", () => {
  const run = (...args: string[]) => runCommand(args, { BERTH_URL: berth.berth.manageUrl });

  test("bundles TypeScript with a dependency, deploys, invokes, lists, scales, rolls back and deletes", async () => {
    const dir = join(mkdtempSync(join(tmpdir(), "berth-test-")), "app");
    mkdirSync(join(dir, "node_modules/shout"), { recursive: true });
    writeFileSync(join(dir, "node_modules/shout/index.js"), "module.exports = (text) => text.toUpperCase() + require('node:path').sep;");
    writeFileSync(
      join(dir, "index.ts"),
      'import shout from "shout"; export default { fetch: async (r: Request, env: Record<string, string>) => new Response(shout([await r.text(), env.A, env.S].join(" "))) };',
    );
    const deployed = await run("deploy", "cli-fn", "--from", dir, "-e", "A=one", "--secret", "S=two", "--concurrency", "7", "--timeout", "3s", "--max", "4");
    expect([deployed.code, deployed.stdout.trim()]).toEqual([0, `${berth.berth.invokeUrl}/function/cli-fn`]);
    expect((await run("invoke", "cli-fn", "-d", "hi")).stdout.trim()).toBe("HI ONE TWO/");
    expect(JSON.parse((await run("get", "cli-fn", "-o", "json")).stdout)).toMatchObject({ concurrency: 7, timeout: "3s", maxScale: 4, secrets: ["S"] });
    expect((await run("deploy", "cli-fn", "-e", "A=three")).stderr).toContain("r2");
    expect((await run("scale", "cli-fn", "--min", "1", "--max", "5")).stderr).toContain("1 to 5");
    expect((await run("rollback", "cli-fn")).stderr).toContain("r1");
    expect((await run("list")).stdout).toMatch(/cli-fn +node +r1/);
    expect((await run("pool", "set", "node", "--size", "1")).code).toBe(0);
    expect((await run("pool", "list", "-o", "yaml")).stdout).toContain("size: 1");
    expect((await run("pause")).stderr).toContain("node is paused");
    expect((await run("pool", "get", "node", "-o", "yaml")).stdout).toContain("paused: true");
    expect((await run("resume", "node")).stderr).toContain("node is resumed");
    expect((await run("traffic", "cli-fn", "--alias", "next=r1")).stdout).toContain("next");
    expect((await run("traffic", "cli-fn", "--split", "nonsense")).code).toBe(2);
    expect((await run("traffic", "cli-fn", "--min-scale", "r1")).code).toBe(2);
    const kept = await run("traffic", "cli-fn", "--min-scale", "r1=1");
    expect([kept.stdout, kept.stderr]).toEqual([expect.stringMatching(/minScales +r1=1/), expect.stringContaining("r1 is active")]);
    expect((await run("traffic", "cli-fn", "--clear", "-o", "json")).stdout).toMatch(/"aliases": \{\}/);
    expect((await run("doctor")).code).toBe(0);
    expect((await run("version")).stdout).toContain("berth 0.1.0");
    expect((await run("delete", "cli-fn")).code).toBe(0);
    const gone = await run("invoke", "cli-fn");
    expect([gone.code, gone.stderr]).toEqual([3, expect.stringContaining("FUNCTION_NOT_FOUND")]);
  });

  test("errors go to stderr with a code and the way to fix them", async () => {
    const missing = await run("get", "nobody");
    expect([missing.code, missing.stdout]).toEqual([3, ""]);
    expect(missing.stderr).toMatch(/^error FUNCTION_NOT_FOUND: .*\n {2}fix: /);
    const away = await run("--url", "http://127.0.0.1:9", "list");
    expect([away.code, away.stderr]).toEqual([4, expect.stringMatching(/^error UNREACHABLE/)]);
    expect(existsSync("nowhere")).toBe(false);
    expect((await run("deploy", "x", "--from", "nowhere")).stderr).toMatch(/^error SOURCE_NOT_FOUND/);
  });
});
