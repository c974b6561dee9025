import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collect } from "../../../../router/downstream/body.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("a body that was given up as too slow is not served, even if the rest of it comes later", async () => {
  const req = new PassThrough();
  const told: string[] = [];
  collect(
    req as unknown as IncomingMessage,
    2,
    (body) => told.push(`body ${body}`),
    () => told.push("too slow"),
  );
  req.write("a");
  await vi.advanceTimersByTimeAsync(25_000);
  expect(told).toEqual(["too slow"]);
  req.end("b");
  await new Promise((resolve) => req.on("close", resolve));
  expect(told).toEqual(["too slow"]);
});
