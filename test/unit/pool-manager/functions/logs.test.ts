import { expect, test } from "vitest";
import { FunctionLogs } from "../../../../pool-manager/functions/logs.ts";
import { LOG_MARK } from "../../../../runtime-images/protocol/messages.ts";

function logged(line: string): object | undefined {
  const logs = new FunctionLogs();
  logs.add("uid", "instance", line);
  const [entry] = logs.tail("uid", 1);
  return entry && { stream: entry.stream, callId: entry.callId, message: entry.message };
}

test.each([
  [
    { c: "call-1", s: "err", m: "text" },
    { stream: "err", callId: "call-1", message: "text" },
  ],
  [
    { c: null, s: "out", m: "" },
    { stream: "out", callId: null, message: "" },
  ],
])("a captured line has its stream and its call: %j", (line, entry) => {
  expect(logged(LOG_MARK + JSON.stringify(line))).toEqual(entry);
});

test("a captured line has the trace of its invocation, and none if what it names is invalid", () => {
  const logs = new FunctionLogs();
  const [trace, span] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
  for (const t of [`00-${trace}-${span}-00`, "00-4bf9", 5]) logs.add("uid", "instance", LOG_MARK + JSON.stringify({ c: "c", s: "out", m: "x", t }));
  expect(logs.tail("uid", 3).map(({ callId, traceId, spanId }) => [callId, traceId, spanId])).toEqual([
    ["c", trace, span],
    ["c", null, null],
    ["c", null, null],
  ]);
});

test.each([
  ["null"],
  ["[]"],
  ["{}"],
  ['{"c":{"a":1},"s":"out","m":"x"}'],
  ['{"c":5,"s":"out","m":"x"}'],
  ['{"c":["a"],"s":"err","m":"x"}'],
  ['{"c":null,"s":"out","m":{"x":1}}'],
  ['{"s":"out","m":"x"}'],
  [`{"c":"${"z".repeat(129)}","s":"out","m":"x"}`],
  ['{"c":'],
])("a line that only looks like one is output as it is: %s", (text) => {
  expect(logged(LOG_MARK + text)).toEqual({ stream: "out", callId: null, message: LOG_MARK + text });
});

const messages = (logs: FunctionLogs) => logs.tail("uid", 1000).map(({ message }) => message);

test("lines that come before their instance is known to have a function are the function's, in order", () => {
  const logs = new FunctionLogs();
  logs.addEarly("i", "first", 0);
  logs.addEarly("other", "of another", 500);
  logs.addEarly("i", "second", 1000);
  logs.claimed("uid", "i", 1500);
  logs.add("uid", "i", "third");
  logs.claimed("uid", "i", 1500);
  expect(messages(logs)).toEqual(["first", "second", "third"]);
});

test("what an instance wrote long before it got a function is not the function's", () => {
  const logs = new FunctionLogs();
  logs.addEarly("i", "a warning of the runtime", 0);
  logs.addEarly("i", "loading", 5000);
  logs.claimed("uid", "i", 5010);
  logs.addEarly("j", "another warning", 6000);
  logs.claimed("uid", "j", 9000);
  expect(messages(logs)).toEqual(["loading"]);
});

test("lines of instances without a function are bounded, each instance's and all instances'", () => {
  const logs = new FunctionLogs();
  for (let line = 0; line < 150; line++) logs.addEarly("i", `line ${line}`, 0);
  logs.claimed("uid", "i", 0);
  expect(messages(logs)).toEqual(Array.from({ length: 100 }, (_, at) => `line ${at + 50}`));
  const many = new FunctionLogs();
  for (let instance = 0; instance < 1500; instance++) many.addEarly(`i${instance}`, "line", 0);
  for (let instance = 0; instance < 1500; instance++) many.claimed("uid", `i${instance}`, 0);
  expect(messages(many)).toHaveLength(1000);
});
