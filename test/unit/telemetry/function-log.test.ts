import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import { FunctionLog } from "../../../telemetry/function-log.ts";

const entry = (message: string) => ({ time: "t", instance: "i", stream: "out", callId: "c", traceId: null, spanId: null, message }) as const;

test("each line is a JSON object, in order, and the end waits for the last one", async () => {
  const out = new PassThrough();
  const log = new FunctionLog(out, () => expect.unreachable());
  for (const message of ["a", "b\nc"]) log.write("shop", entry(message));
  const text: string[] = [];
  out.on("data", (chunk) => text.push(String(chunk)));
  await log.close();
  const rest = { time: "t", level: "info", function: "shop", instance: "i", callId: "c" };
  expect(
    text
      .join("")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { ...rest, message: "a" },
    { ...rest, message: "b\nc" },
  ]);
});

test("a reader that has stopped gets 8 MiB at most, what is dropped is counted, and the end waits a second", async () => {
  let dropped = 0;
  const log = new FunctionLog(new Writable({ write: () => {} }), () => (dropped += 1));
  for (let i = 0; i < 1200; i++) log.write("shop", entry("x".repeat(8000)));
  expect(dropped).toBeGreaterThan(100);
  expect(dropped).toBeLessThan(200);
  const from = performance.now();
  await log.close();
  expect(performance.now() - from).toBeLessThan(3000);
});

test("a reader that is gone ends nothing, and its lines are counted", async () => {
  let dropped = 0;
  const out = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
  const log = new FunctionLog(out, () => (dropped += 1));
  log.write("shop", entry("a"));
  await new Promise((resolve) => out.once("close", resolve));
  log.write("shop", entry("b"));
  await log.close();
  expect(dropped).toBe(1);
});
