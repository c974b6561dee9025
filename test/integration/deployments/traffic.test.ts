import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATIENCE, sleep, TestBerth, until } from "../../helpers/berth.ts";
import { sendRaw } from "../../helpers/requests/raw-http.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 3, poolMax: 8, domain: "fn.test" });
});
afterAll(() => berth.close());

const says = (text: string, ms = 0) =>
  `export default { async fetch() { await new Promise((done) => setTimeout(done, ${ms})); return new Response("${text}"); } };`;
const text = async (name: string, headers: Record<string, string> = {}) => {
  const response = await berth.invoke(name, { headers });
  return `${response.status} ${response.ok ? await response.text() : response.headers.get("x-berth-error")}`;
};
const traffic = (name: string, body: object) => berth.api.call("PUT", `/v1/functions/${name}/traffic`, body);
const refusal = (name: string, body: object) => traffic(name, body).catch(({ code, message }) => ({ code, message }));

async function counts(name: string, n: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let i = 0; i < n; i++) {
    const answer = await text(name);
    found[answer] = (found[answer] ?? 0) + 1;
  }
  return found;
}

// I13
describe("a new revision beside the active one", () => {
  test("gets its share exactly, then more, then all; nobody is turned away", async () => {
    await berth.deploy("shop", says("old"));
    expect(await text("shop")).toBe("200 old");
    expect(await berth.deploy("shop", says("new"), { canary: 10 })).toMatchObject({ revision: "r1", split: { r2: 10 } });
    await until(async () => (await text("shop")) === "200 new", "the canary has its first invocation");
    expect(await counts("shop", 40)).toEqual({ "200 old": 36, "200 new": 4 });
    await traffic("shop", { split: { r2: 50 } });
    const half = await counts("shop", 40);
    expect(Math.abs((half["200 new"] ?? 0) - 20)).toBeLessThanOrEqual(1);
    // Scaling is no deployment.
    expect(await berth.api.call("PATCH", "/v1/functions/shop", { maxScale: 5 })).toMatchObject({ split: { r2: 50 } });
    expect(await traffic("shop", { active: "r2" })).toMatchObject({ revision: "r2", split: {} });
    await until(async () => Object.keys(await counts("shop", 5)).join() === "200 new", "all invocations go to the new one");
  });

  test("is undone without a lost invocation, and its instances go back in place", async () => {
    await berth.deploy("undone", says("old", 150), { concurrency: 1 });
    await berth.deploy("undone", says("new", 150), { concurrency: 1, canary: 50 });
    const seen = new Set<string>();
    const failed: string[] = [];
    const one = async () => {
      const answer = await text("undone");
      if (answer.startsWith("200")) seen.add(answer);
      else failed.push(answer);
    };
    const running: Promise<void>[] = [];
    const send = async () => {
      running.push(one());
      await sleep(25);
    };
    for (const deadline = Date.now() + 2000 * PATIENCE; seen.size < 2 && Date.now() < deadline; ) await send();
    expect([...seen].sort()).toEqual(["200 new", "200 old"]);
    await traffic("undone", { split: {} });
    for (let i = 0; i < 20; i++) await send();
    await Promise.all(running);
    expect(failed).toEqual([]);
    await until(async () => {
      const { uid } = (await berth.api.get("/v1/functions/undone")) as { uid: string };
      const own = (await berth.instances()).filter((row) => row.function === "undone" || row.function === uid);
      return own.length > 0 && own.every(({ revision }) => revision === "r1");
    }, "every instance has the old revision again");
    expect(await counts("undone", 6)).toEqual({ "200 old": 6 });
  });

  test("that becomes the active one takes what waits and runs along", async () => {
    await berth.deploy("promoted", says("old", 400), { concurrency: 1, maxScale: 1 });
    await berth.deploy("promoted", says("new", 400), { concurrency: 1, maxScale: 1, canary: 100 });
    const running = Array.from({ length: 4 }, () => text("promoted"));
    await sleep(300);
    await traffic("promoted", { active: "r2" });
    expect(await Promise.all(running)).toEqual(Array(4).fill("200 new"));
  });
});

describe("a revision by name", () => {
  test("is invoked by alias in the path, by id, or by header, whatever the split", async () => {
    await berth.deploy("named", says("one"));
    await berth.deploy("named", says("two"), { canary: 0 });
    await traffic("named", { aliases: { next: "r2", stable: "r1" } });
    await until(async () => (await text("named@next")) === "200 two", "the alias is served");
    expect(await counts("named", 10)).toEqual({ "200 one": 10 });
    expect(await text("named@r2")).toBe("200 two");
    expect(await text("named@stable")).toBe("200 one");
    expect(await text("named", { "x-berth-revision": "next" })).toBe("200 two");
    const host = await sendRaw(berth.berth.invokeUrl, ["GET / HTTP/1.1\r\nHost: named.fn.test\r\nX-Berth-Revision: r2\r\nConnection: close\r\n\r\n"]);
    expect(host).toContain("two");
    expect(await text("named@none")).toBe("404 REVISION_NOT_SERVED");
    expect(await text("nobody@next")).toBe("404 FUNCTION_NOT_FOUND");
    // The revision that an alias names is kept, whatever is deployed after it.
    for (let i = 0; i < 12; i++) await berth.deploy("named", says(`later ${i}`));
    expect(await text("named@next")).toBe("200 two");
    await traffic("named", { aliases: {} });
    await until(async () => (await text("named@next")) === "404 REVISION_NOT_SERVED", "the alias is gone");
  });

  test("has to exist, and shares have to fit", async () => {
    await berth.deploy("checked", says("one"));
    expect(await refusal("checked", { split: { r9: 10 } })).toMatchObject({ code: "REVISION_NOT_FOUND" });
    expect(await refusal("checked", { aliases: { next: "r9" } })).toMatchObject({ code: "REVISION_NOT_FOUND" });
    expect(await refusal("checked", { aliases: { r1: "r1" } })).toMatchObject({ code: "TRAFFIC_INVALID" });
    expect(await refusal("checked", { split: { r1: 101 } })).toMatchObject({ code: "TRAFFIC_INVALID" });
    expect(await refusal("checked", { weights: {} })).toMatchObject({ code: "TRAFFIC_INVALID" });
    const both = berth.deploy("checked", says("two"), { canary: 150 }).catch(({ code }) => code);
    expect(await both).toBe("TRAFFIC_INVALID");
    expect(await berth.api.get("/v1/functions/checked")).toMatchObject({ revision: "r1", split: {}, aliases: {} });
  });
});
