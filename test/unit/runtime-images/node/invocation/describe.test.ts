import { afterEach, describe, expect, test } from "vitest";
import { logError, stackOf, summaryOf } from "../../../../../runtime-images/node/invocation/describe.ts";

const { write } = process.stderr;
afterEach(() => {
  process.stderr.write = write;
});

const hostile = {
  get message(): string {
    throw new Error("hidden");
  },
  toString(): string {
    throw new Error("hidden");
  },
};

describe("a thrown value", () => {
  test("is described with its stack, its causes and its fields", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
    const told = stackOf(new TypeError("fetch failed", { cause: refused }));
    expect(told).toMatch(/^TypeError: fetch failed\n {4}at /);
    expect(told).toContain("[cause]: Error: connect ECONNREFUSED 127.0.0.1:1");
    expect(told).toContain("code: 'ECONNREFUSED'");
    expect(stackOf(new AggregateError([new Error("one"), new Error("two")], "all failed"))).toMatch(/all failed[\s\S]*\[errors\][\s\S]*one[\s\S]*two/);
  });

  test.each<[string, unknown, string, string]>([
    ["a text", "no luck", "no luck", "no luck"],
    ["nothing", undefined, "undefined", "undefined"],
    ["null", null, "null", "null"],
    ["an object", { code: 1, why: { a: "b" } }, "{ code: 1, why: { a: 'b' } }", "{ code: 1, why: { a: 'b' } }"],
    ["a symbol", Symbol("s"), "Symbol(s)", "Symbol(s)"],
    ["an error without a message", Object.assign(new RangeError(), { stack: "RangeError" }), "RangeError", "RangeError"],
  ])("may be %s", (_what, thrown, stack, summary) => {
    expect([
      stackOf(thrown)
        .split("\n")[0]
        ?.replace(/^\[(.*)\]$/, "$1"),
      summaryOf(thrown),
    ]).toEqual([stack, summary]);
  });

  test("may refuse to be shown", () => {
    for (const thrown of [hostile, Object.setPrototypeOf(hostile, Error.prototype), new Proxy({}, { get: () => Promise.reject })]) {
      expect([typeof stackOf(thrown), typeof summaryOf(thrown)]).toEqual(["string", "string"]);
    }
  });

  test("is logged, and a failed write to the log is no further error", () => {
    const lines: string[] = [];
    process.stderr.write = ((text: string) => lines.push(text) > 0) as typeof write;
    logError("no luck", "waitUntil: ");
    process.stderr.write = () => {
      throw new Error("closed");
    };
    logError("no luck");
    process.stderr.write = null as unknown as typeof write;
    logError("no luck");
    expect(lines).toEqual(["waitUntil: no luck\n"]);
  });
});
