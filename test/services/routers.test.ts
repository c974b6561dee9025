import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { random } from "../../bench/driver.ts";
import { bundle } from "../../cli/bundle/bundle.ts";
import { sleep, until } from "../helpers/berth.ts";
import { Fleet, type RouterProcess } from "../helpers/routers.ts";

let fleet: Fleet;
afterEach(() => fleet.close());

/** Keeps its processor busy for 200 ms, and says from when to when. */
const SPINS = `export default { fetch() {
  const from = Date.now();
  while (Date.now() - from < 200);
  return Response.json({ instance: process.pid, from, to: Date.now() });
} };`;

interface Run {
  sentAt: number;
  instance: number;
  from: number;
  to: number;
}

/** Poisson arrivals at routers by turns of a seeded dice. */
async function drive(routers: () => RouterProcess[], count: number, rate: number): Promise<{ runs: Run[]; errors: string[] }> {
  const next = random(5);
  const runs: Run[] = [];
  const errors: string[] = [];
  const pending: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    await sleep((-Math.log(1 - next()) / rate) * 1000);
    const alive = routers();
    const router = alive[Math.floor(next() * alive.length)] as RouterProcess;
    const sentAt = Date.now();
    const one = async () => {
      try {
        const response = await fetch(`${router.url}/function/spins`, { signal: AbortSignal.timeout(20_000) });
        if (response.ok) runs.push({ sentAt, ...((await response.json()) as Omit<Run, "sentAt">) });
        else errors.push(`${response.status} ${response.headers.get("x-berth-error")}`);
      } catch (error) {
        errors.push((error as Error).message);
      }
    };
    pending.push(one());
  }
  await Promise.all(pending);
  return { runs, errors };
}

/** Longest time, in ms, that an invocation has waited while some instance was idle that had run something before. */
function longestIdleWait(runs: readonly Run[]): number {
  let longest = 0;
  for (const instance of new Set(runs.map((run) => run.instance))) {
    const own = runs.filter((run) => run.instance === instance).sort((a, b) => a.from - b.from);
    own.forEach(({ to }, i) => {
      const idleUntil = own[i + 1]?.from ?? Number.POSITIVE_INFINITY;
      for (const { sentAt, from } of runs) longest = Math.max(longest, Math.min(idleUntil, from) - Math.max(to, sentAt));
    });
  }
  return longest;
}

/** How late this process ran at the most while it was watched, in milliseconds: the machine adds that much to any wait. */
function stallMeter(): () => number {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 2);
    last = now;
  }, 2);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

function overlaps(runs: readonly Run[]): number {
  return runs.filter((a) => runs.some((b) => a !== b && a.instance === b.instance && a.from <= b.from && b.from < a.to)).length;
}

// I4
describe.each([2, 3])("%i routers, concurrency 1", (count) => {
  test("never two at once on an instance, nobody waits while one is idle, one router killed in the middle", async () => {
    fleet = await Fleet.start({ poolSize: 2 });
    const routers = await Promise.all(Array.from({ length: count }, () => fleet.router()));
    await Promise.all(routers.map((router) => fleet.ready(router)));
    await fleet.berth.deploy("spins", SPINS, { concurrency: 1, minScale: 2, maxScale: 2 });
    await until(async () => (await fleet.berth.instances()).filter(({ state }) => state === "warm").length === 2, "both are warm");
    await sleep(100);
    const victim = routers[0] as RouterProcess;
    const stalled = stallMeter();
    const first = await drive(() => routers, 24, 4);
    const second = drive(() => routers.filter((router) => router !== victim), 24, 4);
    await sleep(1000);
    victim.child.kill("SIGKILL");
    const { runs, errors } = await second;
    expect([...first.errors, ...errors.filter((error) => !/ROUTER_LOST/.test(error))]).toEqual([]);
    // Only invocations that passed through the victim at that moment may fail.
    expect(errors.length).toBeLessThanOrEqual(2);
    expect(first.runs).toHaveLength(24);
    expect(overlaps([...first.runs, ...runs])).toBe(0);
    expect(longestIdleWait([...first.runs, ...runs])).toBeLessThan(50 + stalled());
  }, 60_000);
});

test("what the API has answered is known to every router, also to one that was held up; one that hangs delays an answer by a second", async () => {
  fleet = await Fleet.start({ poolSize: 1 });
  const routers = await Promise.all([fleet.router(), fleet.router()]);
  await Promise.all(routers.map((router) => fleet.ready(router)));
  const [, other] = routers as [RouterProcess, RouterProcess];
  const statuses = (name: string) => Promise.all(routers.map(async ({ url }) => (await fetch(`${url}/function/${name}`)).status));
  let answered = false;
  other.child.kill("SIGSTOP");
  const deploying = fleet.berth.deploy("late", "export default { fetch: () => new Response('late') };").then(() => {
    answered = true;
  });
  await until(async () => (await fleet.berth.api.get<{ items: unknown[] }>("/v1/functions")).items.length === 1, "it is deployed");
  expect(answered).toBe(false);
  other.child.kill("SIGCONT");
  await deploying;
  expect(await statuses("late")).toEqual([200, 200]);
  await fleet.berth.api.call("DELETE", "/v1/functions/late");
  expect(await statuses("late")).toEqual([404, 404]);
  other.child.kill("SIGSTOP");
  const since = performance.now();
  await fleet.berth.deploy("hung", "export default { fetch: () => new Response('hung') };");
  expect(performance.now() - since).toBeLessThan(2500);
}, 30_000);

test("routers restarted one after the other under open-loop load: no invocation fails, no connection is reset", async () => {
  fleet = await Fleet.start({ poolSize: 1 });
  let routers: RouterProcess[] = await Promise.all([fleet.router(), fleet.router()]);
  await Promise.all(routers.map((router) => fleet.ready(router)));
  const names = ["a", "b", "c"];
  for (const name of names) {
    await fleet.berth.deploy(
      name,
      "export default { async fetch(request) { const id = await request.text(); await new Promise((done) => setTimeout(done, 20)); return new Response(id); } };",
    );
  }
  // Acts as a load balancer: a router that reports not ready gets no new requests.
  let balanced = routers;
  let looking = true;
  const check = (async () => {
    while (looking) {
      const ready = await Promise.all(
        routers.map((router) =>
          fetch(`${router.adminUrl}/readyz`).then(
            ({ ok }) => ok,
            () => false,
          ),
        ),
      );
      balanced = routers.filter((_router, i) => ready[i]);
      await sleep(50);
    }
  })();
  const next = random(11);
  const failed: string[] = [];
  const pending: Promise<void>[] = [];
  let sent = 0;
  let loading = true;
  const load = (async () => {
    while (loading) {
      await sleep(-Math.log(1 - next()) * 8);
      const router = balanced[sent % balanced.length] as RouterProcess;
      const id = String(sent++);
      const one = async () => {
        const response = await fetch(`${router.url}/function/${names[sent % 3]}`, { method: "POST", body: id });
        const text = await response.text();
        if (!response.ok || text !== id) failed.push(`${response.status} ${text}`);
      };
      pending.push(one().catch((error: Error) => void failed.push(`${error.message}: ${(error.cause as Error)?.message}`)));
    }
  })();
  await sleep(500);
  for (let round = 0; round < 4; round++) {
    const [old, ...rest] = routers as [RouterProcess, ...RouterProcess[]];
    const fresh = await fleet.router();
    await fleet.ready(fresh);
    routers = [old, ...rest, fresh];
    await sleep(200);
    const exited = once(old.child, "exit");
    old.child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    routers = [...rest, fresh];
    await sleep(200);
  }
  loading = false;
  await load;
  await Promise.all(pending);
  looking = false;
  await check;
  expect(failed).toEqual([]);
  expect(sent).toBeGreaterThan(200);
}, 60_000);

test("a WebSocket reaches its instance through either router", async () => {
  fleet = await Fleet.start({ poolSize: 1 });
  const routers = await Promise.all([fleet.router(), fleet.router()]);
  const code = await fleet.berth.api.upload(await bundle("examples/websocket"));
  await fleet.berth.api.call("PUT", "/v1/functions/ws", { code, concurrency: 2, maxScale: 1 });
  await Promise.all(routers.map((router) => fleet.ready(router)));
  for (const { url } of routers) {
    const socket = new WebSocket(`${url.replace("http", "ws")}/function/ws`);
    await once(socket, "open");
    socket.send("through");
    expect(String((await once(socket, "message"))[0])).toBe("through");
    socket.close();
    await once(socket, "close");
  }
});

test("a share of the invocations is logged as JSON lines, without path and query", async () => {
  fleet = await Fleet.start({ poolSize: 1 });
  const [all, some] = await Promise.all([fleet.router(["--access-log", "1"]), fleet.router(["--access-log", "0.2"])]);
  for (const router of [all, some]) await fleet.ready(router);
  await fleet.berth.deploy("hello", "export default { fetch: () => new Response('hello') };");
  const lines = (router: RouterProcess) => {
    const found: Record<string, unknown>[] = [];
    router.child.stdout?.on("data", (chunk) => {
      for (const line of String(chunk).split("\n")) if (line.startsWith("{")) found.push(JSON.parse(line) as Record<string, unknown>);
    });
    return found;
  };
  const [everything, sample] = [lines(all), lines(some)];
  // A call that is passed on is logged by the router that serves it.
  const headers = { "x-berth-hop": "test", "x-call-id": "call-1" };
  for (let i = 0; i < 200; i++) await (await fetch(`${some.url}/function/hello/secret?token=1`, { headers })).text();
  for (let i = 0; i < 5; i++) await (await fetch(`${all.url}/function/hello/secret?token=1`, { headers })).text();
  await until(() => everything.length === 5, "all are logged");
  expect(everything[0]).toMatchObject({ callId: "call-1", function: "hello", revision: "r1", method: "GET", status: 200, start: expect.any(String) });
  expect(JSON.stringify(everything)).not.toMatch(/secret|token/);
  expect(sample.length).toBeGreaterThan(10);
  expect(sample.length).toBeLessThan(90);
});
