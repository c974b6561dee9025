import { expect, test } from "vitest";
import { allowedInWords, exceededInWords, freeAllowed, INSTANCE_BYTES, sizeCap, sizeFault } from "../../../../../pool-manager/pool/memory/idle-memory.ts";

const MIB = 2 ** 20;
const of = (limitMb: number, reservedMb = 0) => ({ limit: limitMb * MIB, instance: INSTANCE_BYTES, reserved: reservedMb * MIB });

test.each([
  [2048, 0, 21],
  [2048, 512, 16],
  [192, 0, 2],
  [191, 0, 1],
  [95, 0, 0],
  [512, 600, 0],
])("%s MiB, of which minScale has %s: %s free instances", (limit, reserved, allowed) => {
  expect(freeAllowed(of(limit, reserved))).toBe(allowed);
});

test.each([
  ["no limit", null, 2, 30, 30],
  ["a limit below max", of(960), 2, 30, 10],
  ["a limit above max", of(9600), 2, 30, 30],
  ["a limit below min", of(96), 2, 30, 2],
])("%s", (_title, memory, least, max, cap) => {
  expect(sizeCap(memory, least, max)).toBe(cap);
});

test("the bound is told with what minScale has of it", () => {
  expect(allowedInWords(of(2048))).toBe("idleMemory of 2Gi allows 21");
  expect(allowedInWords(of(2048, 512))).toBe("idleMemory of 2Gi, of which minScale has 512Mi, allows 16");
});

test("a limit without room for what is kept in any case", () => {
  expect(sizeFault(192 * MIB, "min", 2, INSTANCE_BYTES)).toBeNull();
  expect(sizeFault(192 * MIB, "min", 3, INSTANCE_BYTES)).toBe("192Mi has no room for min 3, which takes 288Mi, 96Mi each");
  expect(sizeFault(64 * MIB, "size", 1, INSTANCE_BYTES)).toBe("64Mi has no room for size 1, which takes 96Mi");
  expect(exceededInWords(of(960, 768), "min", 2)).toEqual([]);
  expect(exceededInWords(of(960, 769), "min", 2)).toEqual([
    "idleMemory of 960Mi is exceeded: min 2 takes 192Mi, minScale of functions 769Mi; these are kept, and no other instance without an invocation",
  ]);
  expect(exceededInWords(of(96), "size", 2)).toEqual([
    "idleMemory of 96Mi is exceeded: size 2 takes 192Mi; these are kept, and no other instance without an invocation",
  ]);
});
