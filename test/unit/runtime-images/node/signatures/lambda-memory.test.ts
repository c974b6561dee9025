import { totalmem } from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { memoryMb } from "../../../../../runtime-images/node/signatures/lambda.ts";

afterEach(() => vi.restoreAllMocks());

test.each([
  ["the function's own", { memoryBytes: 256 * 2 ** 20 }, 512 * 2 ** 20, "256"],
  ["that of its container", undefined, 512 * 2 ** 20, "512"],
  ["1 GiB where the kernel says 0", undefined, 0, "1024"],
  // lambda_runtime of Rust ends with a panic at a number above 2^31.
  ["the same where the kernel says more than all memory", undefined, 2 ** 63, "1024"],
])("the memory that a handler is told is %s", (_what, resources, contained, expected) => {
  vi.spyOn(process, "constrainedMemory").mockReturnValue(contained);
  expect(totalmem()).toBeGreaterThan(512 * 2 ** 20);
  expect(memoryMb(resources ? { resources } : {})).toBe(expected);
});
