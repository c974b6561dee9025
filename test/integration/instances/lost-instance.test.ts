import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";

/** `/slow` never answers, `/begun` only begins an answer; any other path returns the instance and its number of unanswered requests. */
const SOURCE = `let waiting = 0;
export default { async fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/slow") { waiting += 1; await new Promise(() => {}); }
  if (pathname === "/begun") { waiting += 1; return new Response(new ReadableStream({ start(to) { to.enqueue(new TextEncoder().encode("begun")); } })); }
  return Response.json({ pid: process.pid, waiting });
} };`;

let berth: TestBerth;
const sockets: Socket[] = [];
beforeAll(async () => {
  berth = await TestBerth.start({ platform: "local", poolSize: 1 });
});
afterAll(() => berth.close());
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

const tell = async () => (await (await berth.invoke("cut")).json()) as { pid: number; waiting: number };

/** Nothing answers at this address any more: its process is stopped, and its kernel has taken all the connections that it takes for it. */
async function cut(pid: number, address: string): Promise<void> {
  const [host = "", port] = address.split(":");
  process.kill(pid, "SIGSTOP");
  for (let full = false; !full; ) {
    const socket = connect(Number(port), host);
    socket.on("error", () => {});
    sockets.push(socket);
    full = await Promise.race([new Promise<boolean>((resolve) => socket.once("connect", () => resolve(false))), sleep(500).then(() => true)]);
  }
}

test("invocations on an instance that nothing answers for end within six seconds, and the next one is served elsewhere", async () => {
  await berth.deploy("cut", SOURCE, { concurrency: 4, timeout: "60s" });
  const { pid } = await tell();
  const slow = berth.invoke("cut", {}, "/slow");
  const begun = await berth.invoke("cut", {}, "/begun");
  await until(async () => (await tell()).waiting === 2, "both run");
  const address = (await berth.instances()).find((instance) => instance.function === "cut")?.address ?? "";
  await cut(pid, address);
  const since = performance.now();
  // Its bytes go out on a kept connection, and are never acknowledged: it may not be sent again.
  const sent = berth.invoke("cut");
  const begunEnd = expect(begun.text()).rejects.toThrow();
  for (const response of await Promise.all([slow, sent])) {
    expect([response.status, response.headers.get("x-berth-error")]).toEqual([502, "INSTANCE_LOST"]);
    expect(((await response.json()) as { error: { message: string } }).error.message).toContain(address);
  }
  await begunEnd;
  expect(performance.now() - since).toBeLessThan(6000);
  const next = performance.now();
  expect((await tell()).pid).not.toBe(pid);
  expect(performance.now() - next).toBeLessThan(2000);
  await until(async () => !(await berth.instances()).some((instance) => instance.address === address), "it is replaced");
});
