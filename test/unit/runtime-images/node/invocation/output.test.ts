import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { type Call, currentCall } from "../../../../../runtime-images/node/invocation/call.ts";
import { Lines } from "../../../../../runtime-images/node/invocation/output.ts";
import { LOG_MARK, type LogLine } from "../../../../../runtime-images/protocol/messages.ts";

/** A captured stream, and the lines that have left it. */
function captured() {
  const left: LogLine[] = [];
  const target = {
    write: ((text: string) => {
      for (const line of text.split("\n").slice(0, -1)) left.push(JSON.parse(line.slice(LOG_MARK.length)));
      return true;
    }) as typeof process.stdout.write,
  };
  const lines = new Lines("out", target);
  return { left, target, lines, texts: () => left.map(({ c, m }) => `${c}: ${m}`) };
}

function callOf(id: string): Call {
  return { id, res: {} as ServerResponse, background: null, crashed: () => {} };
}

describe("output of functions", () => {
  test("two invocations that write a line in turns get a line each", () => {
    const { target, texts } = captured();
    const [a, b] = [callOf("a"), callOf("b")];
    currentCall.run(a, () => target.write("first "));
    currentCall.run(b, () => target.write("second "));
    currentCall.run(a, () => target.write("of a\n"));
    currentCall.run(b, () => target.write("of b\nand more\n"));
    expect(texts()).toEqual(["a: first of a", "b: second of b", "b: and more"]);
  });

  test("output without an end of line becomes a line once its invocation has ended", () => {
    const { target, lines, texts } = captured();
    const call = callOf("a");
    currentCall.run(call, () => target.write("fatal: no configuration"));
    expect(texts()).toEqual([]);
    lines.flush(call);
    lines.flush(call);
    target.write("beside");
    lines.flushAll();
    expect(texts()).toEqual(["a: fatal: no configuration", "null: beside"]);
  });

  test.each(["é", "€", "😀", "\n€", "a\n😀"])("a character is whole wherever its bytes are cut: %j", (text) => {
    const bytes = Buffer.from(`x${text}y\n`);
    for (let at = 0; at <= bytes.length; at++) {
      const { target, texts } = captured();
      target.write(bytes.subarray(0, at));
      target.write(new Uint8Array(bytes.subarray(at)));
      expect(texts().join("\n")).toBe(`x${text}y`.replace(/^|\n/g, (end) => `${end}null: `));
    }
  });

  test("a line that is too long is cut after its beginning, and says how much is missing", () => {
    const { target, left } = captured();
    target.write(`${"x".repeat(5000)}`);
    target.write(`${"y".repeat(5000)}`);
    target.write(`${"z".repeat(5000)}\nnext\n`);
    expect(left.map(({ m }) => [m.length, m.slice(0, 1), m.slice(8190)])).toEqual([
      [8216, "x", "yy… (6808 characters more)"],
      [4, "n", ""],
    ]);
    target.write(`${"w".repeat(9000)}\n`);
    expect(left.at(-1)?.m.slice(8192)).toBe("… (808 characters more)");
  });

  test("other encodings and callbacks are as Node has them", async () => {
    const { target, texts } = captured();
    target.write("aGVsbG8K", "base64");
    await new Promise<void>((done) => target.write("done\n", () => done()));
    expect(texts()).toEqual(["null: hello", "null: done"]);
  });

  test("invocations that leave their line open after their end cost a bounded memory", () => {
    const { target, left } = captured();
    for (let i = 0; i < 1500; i++) currentCall.run(callOf(`c${i}`), () => target.write("open"));
    expect(left.length).toBe(500);
    expect(left[0]).toEqual({ c: "c0", s: "out", m: "open" });
  });
});
