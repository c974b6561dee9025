import { expect, test } from "vitest";
import { classIn, NO_CLASSES, parseSizeClasses, runtimeOfClass, SizeClasses } from "../../../../../pool-manager/functions/manifest/size-classes.ts";

const MIB = 2 ** 20;
const classes = new SizeClasses(192 * MIB, [2048 * MIB, 512 * MIB]);

test.each<[string, number | undefined, string]>([
  ["no memory of its own", undefined, "node"],
  ["less than the base pool gives", 64 * MIB, "node"],
  ["exactly what the base pool gives", 192 * MIB, "node"],
  ["a byte more", 192 * MIB + 1, "node-512mi"],
  ["exactly a class", 512 * MIB, "node-512mi"],
  ["more than the first class", 513 * MIB, "node-2gi"],
  ["more than any class: the base pool, whose pods are resized where that is possible", 2049 * MIB, "node"],
])("a revision with %s", (_what, memoryBytes, pool) => {
  expect(classes.poolOf("node", memoryBytes === undefined ? {} : { memoryBytes })).toBe(pool);
  expect(NO_CLASSES.poolOf("node", memoryBytes === undefined ? undefined : { memoryBytes })).toBe("node");
});

test("each runtime has a pool for each class, after the base pools", () => {
  expect(classes.poolsOf(["node", "python"])).toEqual([
    { name: "node", runtime: "node" },
    { name: "python", runtime: "python" },
    { name: "node-512mi", runtime: "node", sizeClass: 512 * MIB },
    { name: "python-512mi", runtime: "python", sizeClass: 512 * MIB },
    { name: "node-2gi", runtime: "node", sizeClass: 2048 * MIB },
    { name: "python-2gi", runtime: "python", sizeClass: 2048 * MIB },
  ]);
});

test("a class is known by its pool's name, declared or not, and only of a runtime that there is", () => {
  expect(["node-2gi", "node", "node-2", "node-x2gi"].map(classIn)).toEqual(["2gi", null, null, null]);
  expect(["node-2gi", "ruby-2gi", "node", "-2gi"].map((pool) => runtimeOfClass(pool, ["node"]))).toEqual(["node", null, null, null]);
});

test.each<[string, number[] | RegExp]>([
  ["2Gi, 512Mi", [512 * MIB, 2048 * MIB]],
  ["1Gi,1024Mi", [1024 * MIB]],
  ["2Gi,many", /"many" is not an amount/],
  ["", /"" is not an amount/],
  ["512M", /whole Mi/],
  ["192Mi,1Gi", /192Mi is no more than the 192Mi/],
  ["1Gi,2Gi,3Gi,4Gi,5Gi,6Gi,7Gi,8Gi,9Gi", /at most 8/],
])("the declaration %j", (text, expected) => {
  const sizes = parseSizeClasses(text, 192 * MIB);
  if (expected instanceof RegExp) expect(sizes).toMatch(expected);
  else expect(sizes).toEqual(expected);
});
