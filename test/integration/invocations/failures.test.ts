import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, PATIENCE, sleep, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 3 });
});
afterAll(() => berth.close());

async function timed(work: Promise<Response>): Promise<{ status: number; error: { code: string; message: string }; ms: number; response: Response }> {
  const from = performance.now();
  const response = await work;
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return { status: response.status, error, ms: performance.now() - from, response };
}

async function problemsOf(name: string): Promise<string> {
  return (await berth.api.get<{ problems: string[] }>(`/v1/functions/${name}`)).problems.join("; ");
}

describe("code that does not load", () => {
  test("answers 502 within a second with the function's own error", async () => {
    await berth.prewarmed(1);
    await berth.deploy("broken", "throw new TypeError('bad config');");
    const first = await timed(berth.invoke("broken"));
    expect(first.status).toBe(502);
    expect(first.error.code).toBe("FUNCTION_LOAD_FAILED");
    expect(first.error.message).toContain("TypeError: bad config");
    expect(first.ms).toBeLessThan(1000 * PATIENCE);
    const second = await timed(berth.invoke("broken"));
    expect(second.error.message).toContain("bad config");
    expect(second.ms).toBeLessThan(1000 * PATIENCE);
  });

  test("a syntax error and a missing handler say so", async () => {
    await berth.deploy("syntax", "export default {");
    expect((await timed(berth.invoke("syntax"))).error.message).toContain("SyntaxError");
    await berth.deploy("empty", "export const x = 1;");
    expect((await timed(berth.invoke("empty"))).error.message).toContain("no handler was found");
  });

  test("a module that exits while it loads answers 502", async () => {
    await berth.deploy("exits", "process.exit(7);");
    const result = await timed(berth.invoke("exits"));
    expect([result.status, result.error.code]).toEqual([502, "FUNCTION_LOAD_FAILED"]);
    expect(result.error.message).toContain("exited with code 7");
  });

  test.each([
    ["waits", "await new Promise(() => setTimeout(() => {}, 1e6));"],
    ["spins", "for (;;);"],
  ])("an import that %s for ever ends at loadTimeout and leaves no stuck instance", async (how, source) => {
    const name = `hangs-${how}`;
    await berth.deploy(name, `${source} export default {};`, { loadTimeout: "400ms" });
    const result = await timed(berth.invoke(name));
    expect([result.status, result.error.code]).toEqual([504, "FUNCTION_LOAD_TIMEOUT"]);
    expect(result.ms).toBeGreaterThan(390);
    expect(result.ms).toBeLessThan(1500 * PATIENCE);
    await until(async () => !(await berth.instances()).some((instance) => instance.function === name), "the instance is gone");
  });

  test("a corrected revision runs at once", async () => {
    await berth.deploy("broken", ECHO);
    expect((await berth.invoke("broken")).status).toBe(200);
  });

  test("a broken revision leaves the instance of the older one, and rollback returns to it", async () => {
    await berth.deploy("careful", ECHO);
    const before = ((await (await berth.invoke("careful")).json()) as { id: string }).id;
    await berth.deploy("careful", "throw new Error('v2 is bad')");
    const broken = await timed(berth.invoke("careful"));
    expect([broken.status, broken.error.message.includes("v2 is bad")]).toEqual([502, true]);
    await berth.api.call("POST", "/v1/functions/careful/rollback", {});
    const after = await berth.invoke("careful");
    expect(after.headers.get("x-berth-revision")).toBe("r1");
    expect(((await after.json()) as { id: string }).id).toBe(before);
  });
});

describe("a function that fails while it runs", () => {
  test("a crash answers 502 with its words, and the instance is replaced", async () => {
    await berth.deploy(
      "crasher",
      "export default { async fetch(r) { if (r.url.endsWith('/ok')) return new Response('ok'); setTimeout(() => { throw new Error('kaboom'); }); await new Promise(() => {}); } };",
    );
    await (await berth.invoke("crasher", {}, "/ok")).text();
    const [before] = (await berth.instances()).filter((instance) => instance.function === "crasher");
    const result = await timed(berth.invoke("crasher"));
    expect([result.status, result.error.code]).toEqual([502, "FUNCTION_CRASHED"]);
    expect(result.error.message).toContain("kaboom");
    expect(await (await berth.invoke("crasher", {}, "/ok")).text()).toBe("ok");
    const after = (await berth.instances()).filter((instance) => instance.function === "crasher" && instance.state === "warm");
    expect(after.map((instance) => instance.uid)).not.toContain(before?.uid);
  });

  test.each([
    ["waits", "await new Promise(() => {});"],
    ["spins", "for (;;);"],
  ])("one that %s past its timeout answers 504, and the instance is replaced", async (how, body) => {
    const name = `slow-${how}`;
    await berth.deploy(name, `export default { async fetch(r) { if (r.url.endsWith('/ok')) return new Response('ok'); ${body} } };`, { timeout: "300ms" });
    await (await berth.invoke(name, {}, "/ok")).text();
    const [before] = (await berth.instances()).filter((instance) => instance.function === name);
    const result = await timed(berth.invoke(name));
    expect([result.status, result.error.code]).toEqual([504, "FUNCTION_TIMEOUT"]);
    expect(result.ms).toBeLessThan(1500 * PATIENCE);
    expect(await (await berth.invoke(name, {}, "/ok")).text()).toBe("ok");
    await until(async () => !(await berth.instances()).some((instance) => instance.uid === before?.uid), "the old instance is gone");
  });

  test("one that ends by itself soon after each load is started a few times only, and those who ask for it are told at once", async () => {
    await berth.deploy("looping", "setTimeout(() => process.abort(), 150); export default { fetch: () => new Response('up') };", { minScale: 1 });
    await until(async () => (await problemsOf("looping")).includes("crashes"), "it is known to crash");
    expect(await problemsOf("looping")).toMatch(/^r1 crashes soon after it has loaded, 2 times in a row; the next start is in \d+ s: /);
    const asked = await timed(berth.invoke("looping"));
    expect([asked.status, asked.error.code]).toEqual([502, "FUNCTION_CRASHED"]);
    expect(asked.ms).toBeLessThan(1000 * PATIENCE);
    expect(
      (await fetch(`${berth.berth.manageUrl}/metrics`).then((res) => res.text())).match(/berth_crash_loop_delays_total\{function="looping"\} (\d+)/)?.[1],
    ).toBe("1");
    await berth.deploy("steady", ECHO);
    expect((await berth.invoke("steady")).status).toBe(200);
    await berth.api.call("DELETE", "/v1/functions/looping");
  });

  test("requests that end its process, also some in a row, turn nobody else away", async () => {
    await berth.deploy("poisoned", "export default (req, res) => (req.url === '/poison' ? process.exit(3) : res.end('ok'));");
    for (const path of ["/ok", "/poison", "/ok", "/poison", "/poison", "/poison", "/ok"]) {
      const response = await berth.invoke("poisoned", {}, path);
      expect([path, response.status]).toEqual([path, path === "/ok" ? 200 : 502]);
      await response.text();
    }
    expect(await problemsOf("poisoned")).toBe("");
  });

  test("the first invocation of an instance has its timeout from when the code has loaded, however long that takes", async () => {
    const code = "await new Promise((loaded) => setTimeout(loaded, 900)); export default async (req, res) => req.url === '/ok' ? res.end('ok') : undefined;";
    await berth.deploy("patient", code, { timeout: "400ms", loadTimeout: "20s" });
    expect((await berth.invoke("patient", {}, "/ok")).status).toBe(200);
    await berth.deploy("patient", `${code} // another revision`, { timeout: "400ms", loadTimeout: "20s" });
    const result = await timed(berth.invoke("patient"));
    expect([result.status, result.error.code]).toEqual([504, "FUNCTION_TIMEOUT"]);
    expect(result.ms).toBeLessThan(2500 * PATIENCE);
  });

  const FRAGILE = "export default (req, res) => req.url === '/ok' ? res.end('ok') : setTimeout(() => { throw new Error('kaboom'); });";

  test("errors of single invocations do not close a function that serves others well", async () => {
    await berth.deploy("fragile", FRAGILE, { minScale: 1 });
    for (let i = 0; i < 6; i++) {
      expect(await (await berth.invoke("fragile", {}, "/ok")).text()).toBe("ok");
      expect((await berth.invoke("fragile", {}, "/poison")).status).toBe(502);
    }
    expect(await (await berth.invoke("fragile", {}, "/ok")).text()).toBe("ok");
    expect(await problemsOf("fragile")).toBe("");
  });

  test("code that fails each invocation of its instances is started a few times only", async () => {
    await berth.deploy("hopeless", FRAGILE);
    for (let i = 0; i < 3; i++) expect((await berth.invoke("hopeless", {}, "/poison")).status).toBe(502);
    expect(await problemsOf("hopeless")).toMatch(/^r1 crashes soon after it has loaded, 2 times in a row/);
  });

  test("out of memory answers 502, and the next invocation runs", async () => {
    await berth.deploy(
      "hungry",
      "let kept = []; export default { fetch(r) { if (r.url.endsWith('/ok')) return new Response('ok'); process.kill(process.pid, 'SIGABRT'); return new Promise(() => {}); } };",
    );
    await (await berth.invoke("hungry", {}, "/ok")).text();
    const result = await timed(berth.invoke("hungry"));
    expect([result.status, result.error.code]).toEqual([502, "FUNCTION_CRASHED"]);
    expect(await (await berth.invoke("hungry", {}, "/ok")).text()).toBe("ok");
  });
});

const metrics = async () => (await fetch(`${berth.berth.manageUrl}/metrics`)).text();

describe("queues", () => {
  test("Retry-After is what those who wait are going to take", async () => {
    const source = "export default { async fetch() { await new Promise((d) => setTimeout(d, 500)); return new Response('done'); } };";
    await berth.deploy("line", source, { concurrency: 1, maxScale: 1, queueDepth: 6, queueTimeout: "60s" });
    await (await berth.invoke("line")).text();
    let ended = 0;
    const answers = Array.from({ length: 7 }, () => berth.invoke("line").finally(() => (ended += 1)));
    // Three have ended, so that the pace is known.
    await until(() => ended >= 3, "three have ended");
    const refused = (await Promise.all(Array.from({ length: 6 }, () => berth.invoke("line")))).filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    // Seven of half a second each.
    for (const response of refused) expect([3, 4, 5]).toContain(Number(response.headers.get("retry-after")));
    await Promise.all(answers.map(async (answer) => (await answer).text()));
  });

  // I14
  test("overflow is 429 with Retry-After, and waiting too long 504", async () => {
    await berth.deploy(
      "narrow",
      `export default { fetch(r) {
        if (r.url.endsWith("/quick")) return new Response("done");
        const late = async (c) => { c.enqueue(Buffer.from("begun, ")); await new Promise((d) => setTimeout(d, 1200)); c.enqueue(Buffer.from("done")); c.close(); };
        return new Response(new ReadableStream({ start: late }));
      } };`,
      {
        concurrency: 1,
        maxScale: 1,
        queueDepth: 1,
        queueTimeout: "3s",
      },
    );
    await (await berth.invoke("narrow", {}, "/quick")).text();
    await berth.api.call("PATCH", "/v1/functions/narrow", { queueTimeout: "600ms" });
    const first = await berth.invoke("narrow");
    const waiting = timed(berth.invoke("narrow"));
    await until(async () => (await metrics()).includes('berth_queue_depth{function="narrow"} 1'), "it waits");
    const overflow = await timed(berth.invoke("narrow"));
    expect([overflow.status, overflow.error.code]).toEqual([429, "QUEUE_FULL"]);
    expect(Number(overflow.response.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    const late = await waiting;
    expect([late.status, late.error.code]).toEqual([504, "QUEUE_TIMEOUT"]);
    expect(late.response.headers.get("retry-after")).not.toBeNull();
    expect(await first.text()).toBe("begun, done");
  });
});

describe("deletion", () => {
  test("new invocations get 404 at once, running ones two seconds, then 503", async () => {
    const source =
      "export default { async fetch(r) { await new Promise((d) => setTimeout(d, Number(new URL(r.url).searchParams.get('ms')))); return new Response('done'); } };";
    await berth.deploy("doomed", "throw new Error('not yet');");
    expect((await berth.invoke("doomed")).status).toBe(502);
    await berth.deploy("doomed", source);
    await (await berth.invoke("doomed", {}, "?ms=0")).text();
    for (const name of ["invocations", "invocation_errors", "load_failures"]) expect(await metrics()).toContain(`berth_${name}_total{function="doomed"`);
    const quick = berth.invoke("doomed", {}, "?ms=1000");
    const slow = timed(berth.invoke("doomed", {}, "?ms=10000"));
    await sleep(100);
    const from = performance.now();
    await berth.api.call("DELETE", "/v1/functions/doomed");
    expect((await berth.invoke("doomed", {}, "?ms=0")).status).toBe(404);
    expect(await (await quick).text()).toBe("done");
    const ended = await slow;
    expect([ended.status, ended.error.code]).toEqual([503, "FUNCTION_DELETED"]);
    expect(performance.now() - from).toBeGreaterThan(1900);
    expect(performance.now() - from).toBeLessThan(2000 + 2000 * PATIENCE);
    await until(async () => !(await berth.instances()).some((instance) => instance.function === "doomed"), "its instances are gone");
    await until(async () => !(await metrics()).includes('"doomed"'), "so are its series");
  });
});
