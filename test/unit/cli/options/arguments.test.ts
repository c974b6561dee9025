import { expect, test } from "vitest";
import { duration } from "../../../../cli/options/arguments.ts";

test.each([
  ["620s", 620_000],
  ["1h", 3_600_000],
  ["24h", 86_400_000],
  ["1", 1000],
])("the duration %s", (text, ms) => {
  expect(duration(1000, 86_400_000)(text)).toBe(ms);
});

test.each([
  ["soon", '"soon" is not a duration such as 5m.'],
  ["500ms", '"500ms" is shorter than 1s.'],
  ["25h", '"25h" is longer than 24h.'],
])("the duration %s is refused", (text, message) => {
  expect(() => duration(1000, 86_400_000)(text)).toThrow(message);
});
