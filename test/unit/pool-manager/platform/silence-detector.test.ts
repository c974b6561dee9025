import { expect, test } from "vitest";
import { SilenceDetector } from "../../../../pool-manager/platform/silence-detector.ts";

function clock() {
  let now = 1000;
  const silences = new SilenceDetector(() => now);
  const silent: string[] = [];
  const pass = (ms: number) => {
    now += ms;
    silences.check();
  };
  return { silences, silent, pass, stall: (ms: number) => (now += ms) };
}

test("a stream without data is reported once, when its limit has passed; one with data is not", () => {
  const { silences, silent, pass } = clock();
  silences.watch(4000, () => silent.push("quiet"));
  const live = silences.watch(4000, () => silent.push("live"));
  for (let i = 0; i < 7; i++) {
    pass(500);
    live.heard();
  }
  expect(silent).toEqual([]);
  pass(500);
  expect(silent).toEqual(["quiet"]);
  live.heard();
  pass(3999);
  expect(silent).toEqual(["quiet"]);
  pass(1);
  expect(silent).toEqual(["quiet", "live"]);
  expect(silences.size).toBe(0);
});

test("a stream that has ended is not reported", () => {
  const { silences, silent, pass } = clock();
  silences.watch(4000, () => silent.push("ended")).end();
  pass(10_000);
  expect(silent).toEqual([]);
});

test("a delayed process has not listened: its streams do not count as silent until it has read them", () => {
  const { silences, silent, pass, stall } = clock();
  const stream = silences.watch(4000, () => silent.push("stream"));
  pass(500);
  stall(60_000);
  expect(stream.quietMs).toBe(500);
  stream.heard();
  pass(0);
  expect([stream.quietMs, silent]).toEqual([0, []]);
  pass(1500);
  expect(stream.quietMs).toBe(1500);
});
