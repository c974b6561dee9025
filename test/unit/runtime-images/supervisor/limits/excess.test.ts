import { expect, test } from "vitest";
import { amountOf, excessOf } from "../../../../../runtime-images/supervisor/limits/excess.ts";
import { memoryIn } from "../../../../../runtime-images/supervisor/limits/usage.ts";

const MIB = 2 ** 20;
const LIMITS = { memoryBytes: 100 * MIB, pids: 64, storageBytes: 10 * MIB };

test.each([
  [{ memoryBytes: 100 * MIB, pids: 64, storageBytes: 10 * MIB }, null],
  [{ memoryBytes: 100 * MIB + 1 }, { reason: "memory", message: "the function used more than its 100Mi of memory (memory)" }],
  [{ pids: 65 }, { reason: "crash", message: "the function had 65 processes and threads, and may have 64 (pids)" }],
  [{ storageBytes: 15.5 * MIB }, { reason: "crash", message: "the function wrote 15.5Mi of files, and may write 10Mi (ephemeralStorage)" }],
  [{}, null],
])("of what is used, %j, the first that is above its limit counts", (used, excess) => {
  expect(excessOf(used, LIMITS)).toEqual(excess);
  expect(excessOf(used, {})).toBeNull();
});

test.each([
  [512, "512 bytes"],
  [2048, "2Ki"],
  [1.5 * 2 ** 30, "1.5Gi"],
  [2 ** 50, "1024Ti"],
])("%d bytes are shown as %s", (bytes, text) => expect(amountOf(bytes)).toBe(text));

test("memory of files does not count: the kernel takes it back", () => {
  expect(memoryIn("VmRSS:\t  5000 kB\nRssAnon:\t    1000 kB\nRssFile:\t    3900 kB\nRssShmem:\t     100 kB\n")).toBe(1100 * 1024);
  expect(memoryIn("Name:\tkthreadd\n")).toBe(0);
});
