import { once } from "node:events";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Handle, invokerOf } from "../../../../../runtime-images/node/invocation/invoker.ts";
import { InvocationResponse } from "../../../../../runtime-images/node/invocation/response.ts";
import { runInvocation } from "../../../../../runtime-images/node/invocation/run.ts";
import { nodeHandle } from "../../../../../runtime-images/node/signatures/node-style.ts";
import { timers } from "../../../../../runtime-images/node/timers.ts";

const TIMEOUT_MS = 60_000;
const closing: (() => void)[] = [];
const nodes = { ...timers };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  // The invocation's timers are not the global ones.
  Object.assign(timers, { setTimeout, clearTimeout });
});
afterEach(() => {
  vi.useRealTimers();
  Object.assign(timers, nodes);
  for (const close of closing.splice(0)) close();
});

/** Serves every request by `handle`, and notes how each invocation ends. */
async function serve(handle: Handle): Promise<{ url: string; ended: string[]; closed: () => Promise<unknown> }> {
  const ended: string[] = [];
  const responses: InvocationResponse[] = [];
  const server = createServer({ ServerResponse: InvocationResponse }, (req, res) => {
    responses.push(res);
    const done = (well: boolean) => ended.push(well ? "well" : "given up");
    runInvocation(invokerOf(handle), req, res, { timeoutMs: TIMEOUT_MS, done, outlived: () => ended.push("outlived") });
  }).listen(0, "127.0.0.1");
  closing.push(() => server.close().closeAllConnections());
  await once(server, "listening");
  const closed = () => Promise.all(responses.map((res) => res.closed || once(res, "close")));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ended, closed };
}

/** Not by `fetch()`, which sets timers of its own. */
async function ask(url: string): Promise<void> {
  const [response] = await once(get(url), "response");
  await once(response.resume(), "end");
}

test("an invocation of the node signature that has ended leaves no timer, and with it no request, behind", async () => {
  const { url, ended, closed } = await serve(nodeHandle((_req: unknown, res: InvocationResponse) => res.end("x")));
  for (let i = 0; i < 3; i++) await ask(url);
  await closed();
  await new Promise((resolve) => setImmediate(resolve));
  expect([ended, vi.getTimerCount()]).toEqual([["well", "well", "well"], 0]);
});

test("an invocation that goes on after its response is given up at the timeout", async () => {
  const { url, ended, closed } = await serve((_req, res) => {
    res.end("x");
    return new Promise(() => {});
  });
  await ask(url);
  await closed();
  await new Promise((resolve) => setImmediate(resolve));
  expect([ended, vi.getTimerCount()]).toEqual([[], 1]);
  vi.advanceTimersByTime(TIMEOUT_MS);
  expect(ended).toEqual(["outlived", "given up"]);
});
