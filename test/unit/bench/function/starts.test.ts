import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Starts, send } from "../../../../bench/function/starts.ts";

/** The server answers once so many requests are there. */
let together = 1;
let url = "";
let waiting: ServerResponse[] = [];
const server = createServer((_req, res) => {
  waiting.push(res);
  if (waiting.length < together) return;
  for (const response of waiting) response.end();
  waiting = [];
});
beforeAll(async () => {
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => void server.close());

describe("invocations that arrive", () => {
  test.each([
    ["sequential", 1],
    ["burst", 8],
    ["staggered", 8],
  ] as const)("in the way %s are answered where the server answers %i at a time", async (arrivals, count) => {
    together = count;
    expect((await send(arrivals, 1, { count: 8, shot: () => ({ url }) })).totalCount).toBe(8);
  });

  test("sequentially are never two at once", async () => {
    together = 2;
    const times = await send("sequential", 1, { count: 1, shot: () => ({ url }), timeoutMs: 300 });
    expect(times.totalCount).toBe(0);
    waiting = [];
  });

  test("staggered are sent at the interval, however slow the answers", async () => {
    together = 4;
    const began = performance.now();
    expect((await send("staggered", 100, { count: 4, shot: () => ({ url }) })).totalCount).toBe(4);
    expect(performance.now() - began).toBeGreaterThan(300);
  });
});

test("starts are told apart by their kind, and what failed is counted with its first error", () => {
  const starts = new Starts("burst");
  const outcome = (kind: string, firstByteMs: number, error: string | null = null) => ({
    status: error ? 503 : 200,
    headers: { "x-berth-start": kind, "server-timing": "queue;dur=1" },
    body: "",
    firstByteMs,
    error,
  });
  for (const ms of [10, 12]) starts.record(outcome("prewarmed", ms));
  starts.record(outcome("cold", 700));
  for (const error of ["HTTP 503", "HTTP 504"]) starts.record(outcome("cold", 1, error));
  expect(starts.scenarios).toMatchObject([
    { name: "burst prewarmed", n: 2, errors: 0, phases: { queue: { p50Ms: 1 } } },
    { name: "burst cold", n: 1, errors: 0 },
    { name: "burst failed", n: 2, errors: 2, note: "first: HTTP 503" },
  ]);
});
