import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { sleep, until } from "../helpers/berth.ts";
import { Fleet } from "../helpers/routers.ts";

let fleet: Fleet;
afterEach(() => fleet.close());

describe("Redis by the name of its Service", () => {
  const namespace = "named";
  const running = new Set<ChildProcess>();
  afterEach(() => {
    for (const child of running) child.kill("SIGKILL");
    delete process.env.BERTH_TEST_REDIS_SERVICE_HOST;
  });

  /** At an address of this machine. */
  async function redisAt(address: string, port: number): Promise<ChildProcess> {
    const child = spawn("redis-server", ["--bind", address, "--port", String(port), "--save", "", "--protected-mode", "no"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    running.add(child);
    for await (const line of createInterface({ input: child.stdout })) if (line.includes("Ready to accept connections")) return child;
    throw new Error(`Redis did not start at ${address}:${port}`);
  }

  const keyAt = (address: string, port: number) =>
    execFileSync("redis-cli", ["-h", address, "-p", String(port), "exists", `berth:${namespace}:table`], { encoding: "utf8", timeout: 5000 }).trim();

  test("is found anew for each connection, also when the one before says nothing any more", async () => {
    const port = 20_000 + (process.pid % 10_000);
    const first = await redisAt("127.0.0.2", port);
    process.env.BERTH_TEST_REDIS_SERVICE_HOST = "127.0.0.2";
    fleet = await Fleet.start({ poolSize: 0, redis: `redis://berth-test-redis:${port}`, namespace });
    await until(() => keyAt("127.0.0.2", port) === "1", "the table is in the first one");
    await redisAt("127.0.0.3", port);
    process.env.BERTH_TEST_REDIS_SERVICE_HOST = "127.0.0.3";
    // It neither answers nor ends a connection.
    first.kill("SIGSTOP");
    await until(() => keyAt("127.0.0.3", port) === "1", "the table is in the second one");
  });
});

describe("a router whose pool manager is not where it was told", () => {
  test.each(["refuses connections", "says nothing"])("but somewhere that %s finds it at the address in Redis, and follows it", async (how) => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    if (how === "refuses connections") await new Promise((resolve) => silent.close(resolve));
    const socket = `/tmp/berth-redis-${process.pid}-found.sock`;
    const redis = spawn("redis-server", ["--port", "0", "--unixsocket", socket, "--save", ""], { stdio: "ignore" });
    try {
      await until(() => existsSync(socket), "Redis has started");
      fleet = await Fleet.start({ poolSize: 1, redis: socket });
      const router = await fleet.router(["--redis", socket], `http://127.0.0.1:${port}`);
      await fleet.ready(router);
      await fleet.berth.deploy("found", "export default { fetch: () => new Response('found') };");
      await until(async () => (await (await fetch(`${router.url}/function/found`)).text()) === "found", "a new function is known");
      const unheard = async () => /^berth_unheard_seconds (\S+)$/m.exec(await (await fetch(`${router.adminUrl}/metrics`)).text())?.[1];
      expect(await unheard()).toBe("0");
    } finally {
      redis.kill("SIGKILL");
      silent.close();
    }
  });
});

describe("a router without its pool manager", () => {
  // I11
  test("is not ready before its first table, starts from the snapshot in Redis, and serves when Redis is flushed or gone", async () => {
    const redis = spawn("redis-server", ["--port", "0", "--unixsocket", `/tmp/berth-redis-${process.pid}.sock`, "--save", ""], { stdio: "ignore" });
    const url = `/tmp/berth-redis-${process.pid}.sock`;
    try {
      await sleep(300);
      fleet = await Fleet.start({ poolSize: 1, redis: url });
      const first = await fleet.router();
      await fleet.ready(first);
      await fleet.berth.deploy("hello", "export default { fetch: () => new Response('hello') };");
      expect(await (await fetch(`${first.url}/function/hello`)).text()).toBe("hello");
      await sleep(600);
      // A pool manager that accepts and never answers.
      const silent = createServer(() => {}).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const nobody = `http://127.0.0.1:${(silent.address() as { port: number }).port}`;
      const without = await fleet.router([], nobody);
      expect((await fetch(`${without.adminUrl}/readyz`)).status).toBe(503);
      expect((await fetch(`${without.url}/function/hello`)).status).toBe(503);
      const late = await fleet.router(["--redis", url], nobody);
      await fleet.ready(late);
      expect(await (await fetch(`${late.url}/function/hello`)).text()).toBe("hello");
      const flush = spawn("redis-cli", ["-s", url, "flushall"]);
      await once(flush, "exit");
      expect(await (await fetch(`${late.url}/function/hello`)).text()).toBe("hello");
      redis.kill("SIGSTOP");
      expect(await (await fetch(`${first.url}/function/hello`)).text()).toBe("hello");
      redis.kill("SIGKILL");
      expect(await (await fetch(`${late.url}/function/hello`)).text()).toBe("hello");
      await fleet.berth.deploy("after", "export default { fetch: () => new Response('after') };");
      expect(await (await fetch(`${first.url}/function/after`)).text()).toBe("after");
      silent.close();
    } finally {
      redis.kill("SIGKILL");
    }
  }, 60_000);
});
