import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, ON_CLUSTER, PATIENCE, TestBerth, until } from "../../helpers/berth.ts";
import { beside, NEIGHBOURS, warmInstance } from "../../helpers/subjects/neighbours.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 3 });
});
afterAll(() => berth.close());

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

interface Failed {
  error: { code: string; message: string };
}

describe("an error that no code catches", () => {
  test.each([
    ["timer", "in a timer"],
    ["rejected", "rejected"],
    ["emitter", "emitted"],
  ])("is answered to the invocation that it came from, and the others finish: %s", async (path, message) => {
    const name = `uncaught-${path}`;
    let before: string | undefined;
    const slow = await beside(berth, name, async () => {
      before = await warmInstance(berth, name);
      const response = await berth.invoke(name, {}, `/${path}`);
      const { error } = (await response.json()) as Failed;
      expect([response.status, error.code, error.message]).toEqual([502, "FUNCTION_CRASHED", message]);
      // Its process takes nothing more: another instance serves.
      expect(await (await berth.invoke(name, {}, "/ok")).text()).toBe("ok");
    });
    expect(slow).toEqual([200, "slow"]);
    await until(async () => !(await berth.instances()).some((instance) => instance.uid === before), "the instance is gone");
    expect(await (await berth.invoke(name, {}, "/ok")).text()).toBe("ok");
  });

  test("of a listener of the request is answered at once too, whenever its body has come", async () => {
    const slow = await beside(berth, "listener", async () => {
      for (const body of ["{bad", "x".repeat(200_000)]) {
        const response = await berth.invoke("listener", { method: "POST", body }, "/body");
        const { error } = (await response.json()) as Failed;
        expect([response.status, error.code, error.message]).toEqual([502, "FUNCTION_CRASHED", expect.stringContaining("JSON")]);
        expect(await (await berth.invoke("listener", {}, "/ok")).text()).toBe("ok");
      }
    });
    expect(slow).toEqual([200, "slow"]);
  });

  test("that comes after the answer takes nothing back", async () => {
    const slow = await beside(berth, "afterwards", async () => {
      expect(await (await berth.invoke("afterwards", {}, "/answered")).text()).toBe("answered");
    });
    expect(slow).toEqual([200, "slow"]);
  });

  test("is the function's where it listens for such errors itself", async () => {
    await berth.deploy("own-listener", `process.on("uncaughtException", () => { globalThis.heard = true; }); ${NEIGHBOURS}`);
    await (await berth.invoke("own-listener", {}, "/ok")).text();
    const before = await warmInstance(berth, "own-listener");
    expect(await (await berth.invoke("own-listener", {}, "/answered")).text()).toBe("answered");
    await until(async () => (await (await berth.invoke("own-listener", {}, "/heard")).text()) === "true", "its listener has heard of it");
    expect(await warmInstance(berth, "own-listener")).toBe(before);
  });
});

describe("what a handler does to its own response", () => {
  test.each([
    ["/twice", 200, "once"],
    ["/destroyed", 502, "FUNCTION_CRASHED"],
    ["/prototype", 500, "lost prototype"],
  ])("%s: it gets %i, and its neighbours nothing", async (path, status, text) => {
    const name = `own${path.slice(1)}`;
    const slow = await beside(berth, name, async () => {
      const response = await berth.invoke(name, {}, path);
      expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(text)]);
    });
    expect(slow).toEqual([200, "slow"]);
  });

  test("a connection that it ends after its answer takes no other invocation with it", async () => {
    await berth.deploy("hangs-up", NEIGHBOURS);
    for (let i = 0; i < 40; i++) {
      const response = await berth.invoke("hangs-up", {}, "/hung-up");
      expect([response.status, await response.text()]).toEqual([200, "once"]);
    }
  });

  test("a second answer is logged, and ends neither its process nor others' invocations", async () => {
    const slow = await beside(berth, "again", async () => {
      const before = await warmInstance(berth, "again");
      for (const path of ["/answered-twice", "/answered-late"]) expect(await (await berth.invoke("again", {}, path)).text()).toBe("once");
      // One that has only begun would never end.
      const half = await berth.invoke("again", {}, "/half-twice");
      await expect(half.text()).rejects.toThrow();
      const logged = async () => JSON.stringify(await berth.api.get("/v1/functions/again/logs")).split("ERR_HTTP_HEADERS_SENT").length - 1;
      await until(async () => (await logged()) >= 3, "all three are logged");
      expect(await warmInstance(berth, "again")).toBe(before);
    });
    expect(slow).toEqual([200, "slow"]);
    expect((await berth.api.get<{ problems: string[] }>("/v1/functions/again")).problems).toEqual([]);
  });

  test("what it patches in node:http does not keep the platform from answering", async () => {
    await berth.deploy("patches", NEIGHBOURS);
    const response = await berth.invoke("patches", {}, "/patched");
    expect([response.status, await response.text()]).toEqual([500, expect.stringContaining("patches")]);
  });

  test("what it says to a parent process, as under process managers, ends nothing", async () => {
    const slow = await beside(berth, "talks", async () => {
      const before = await warmInstance(berth, "talks");
      expect(await (await berth.invoke("talks", {}, "/talks")).text()).toBe("undefined");
      expect(await (await berth.invoke("talks", {}, "/ok")).text()).toBe("ok");
      expect(await warmInstance(berth, "talks")).toBe(before);
    });
    expect(slow).toEqual([200, "slow"]);
  });

  test("timers that it replaces, with some that return numbers as in a browser, are not the platform's", async () => {
    const slow = await beside(berth, "timers", async () => {
      const before = await warmInstance(berth, "timers");
      expect(await (await berth.invoke("timers", {}, "/fake-timers")).text()).toBe("replaced");
      // This invocation continues after its answer.
      expect(await (await berth.invoke("timers", {}, "/half-open")).text()).toBe("answered");
      expect(await (await berth.invoke("timers", {}, "/ok")).text()).toBe("ok");
      expect(await warmInstance(berth, "timers")).toBe(before);
    });
    expect(slow).toEqual([200, "slow"]);
  });

  test("no prototype lets it speak for the platform", async () => {
    await berth.deploy("forger", NEIGHBOURS);
    const response = await berth.invoke("forger", {}, "/forged");
    expect([response.status, response.headers.get("x-berth-error"), await response.text()]).toEqual([200, null, "1"]);
  });
});

describe("an invocation that outlives its client", () => {
  const OUTLIVING = `
    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    export default { async fetch(request, env, ctx) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/hang") await new Promise(() => {});
      if (pathname === "/background") { ctx.waitUntil(sleep(60_000)); return new Response("accepted"); }
      await sleep(Number(searchParams.get("ms")));
      return new Response("slept");
    } };`;

  test.each(["hang", "background"])("ends no other: %s", async (path) => {
    const name = `outlives-${path}`;
    await berth.deploy(name, OUTLIVING, { timeout: "1s" });
    await (await berth.invoke(name, {}, "/?ms=0")).text();
    const before = await warmInstance(berth, name);
    if (path === "hang") await expect(berth.invoke(name, { signal: AbortSignal.timeout(150) }, "/hang")).rejects.toThrow();
    else await (await berth.invoke(name, {}, "/background")).text();
    // One after the other, each shorter than its timeout, until long after that of the first.
    for (let i = 0; i < 4; i++) {
      const response = await berth.invoke(name, {}, "/?ms=700");
      expect([response.status, await response.text()]).toEqual([200, "slept"]);
    }
    await until(async () => !(await berth.instances()).some((instance) => instance.uid === before), "the instance was replaced");
  });
});

test.skipIf(ON_CLUSTER)("an instance whose function has removed its directories takes the next revision", async () => {
  const remover = (version: string) => `
    import { rmSync } from "node:fs"; import { tmpdir } from "node:os"; import { dirname } from "node:path";
    export default (req, res) => { rmSync(dirname(tmpdir()), { recursive: true, force: true }); res.end("${version}"); };`;
  await berth.deploy("remover", remover("first"));
  expect(await (await berth.invoke("remover")).text()).toBe("first");
  const before = await warmInstance(berth, "remover");
  await berth.deploy("remover", remover("second"));
  expect(await (await berth.invoke("remover")).text()).toBe("second");
  expect(await warmInstance(berth, "remover")).toBe(before);
});

test.skipIf(ON_CLUSTER)("an instance whose function leaves no room for a directory says why the next revision does not start", async () => {
  const blocker = `
    import { rmSync, writeFileSync } from "node:fs"; import { tmpdir } from "node:os";
    export default (req, res) => { rmSync(tmpdir(), { recursive: true }); writeFileSync(tmpdir(), ""); res.end("first"); };`;
  await berth.deploy("blocker", blocker);
  expect(await (await berth.invoke("blocker")).text()).toBe("first");
  await berth.deploy("blocker", ECHO);
  const response = await berth.invoke("blocker");
  expect([response.status, await response.text()]).toEqual([502, expect.stringContaining("the worker could not start: EEXIST")]);
});

describe("the end of an instance", () => {
  test.skipIf(ON_CLUSTER)("ends what it has started in a session of its own", async () => {
    const source = `
      import { spawn } from "node:child_process";
      export default (req, res) => {
        const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
        child.unref();
        res.end(String(child.pid));
      };`;
    await berth.deploy("parent", source);
    const pid = Number(await (await berth.invoke("parent")).text());
    expect(isAlive(pid)).toBe(true);
    await berth.api.call("DELETE", "/v1/functions/parent");
    await until(async () => !isAlive(pid), "it has ended", 10_000);
  });

  test("is told to the function by SIGTERM, which has a moment for it", async () => {
    await berth.deploy("tidy", `process.on("SIGTERM", async () => { await new Promise((done) => setTimeout(done, 100)); console.log("tidied up"); }); ${ECHO}`);
    await (await berth.invoke("tidy")).text();
    await berth.deploy("tidy", ECHO);
    await (await berth.invoke("tidy")).text();
    const said = async () => JSON.stringify(await berth.api.get("/v1/functions/tidy/logs").catch(() => ""));
    await until(async () => (await said()).includes("tidied up"), "it has said so", 5000 * PATIENCE);
  });
});
