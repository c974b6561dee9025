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
