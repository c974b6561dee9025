import { expect, test } from "vitest";
import { fromWorker } from "../../../../runtime-images/protocol/worker.ts";

const WORKERS = [
  { type: "ready", port: 4000 },
  { type: "loaded" },
  { type: "loading", message: "it waits" },
  { type: "loadFailed", message: "no handler" },
  { type: "crashed", message: "", codeAtFault: true },
  { type: "ailing", message: "a rejection", codeAtFault: false, deadlineMs: 30_000 },
];

test.each(WORKERS)("a worker's message is taken as it is: $type", (message) => {
  expect(fromWorker(message)).toEqual(message);
});

test.each([
  ["ready"],
  [null],
  [undefined],
  [0],
  [[]],
  [{}],
  [{ type: null }],
  [{ type: "toString" }],
  [{ type: "__proto__" }],
  [{ type: "process:msg", data: {} }],
  [{ type: "ready" }],
  [{ type: "ready", port: "80" }],
  [{ type: "ready", port: 65_536 }],
  [{ type: "ready", port: Number.NaN }],
  [{ type: "loadFailed", message: { length: 1 } }],
  [{ type: "crashed", message: "" }],
  [{ type: "ailing", message: "", codeAtFault: true, deadlineMs: 2 ** 31 }],
  [{ type: "ailing", message: "", codeAtFault: true, deadlineMs: -1 }],
])("anything else that code of a function sends is no message: %j", (value) => {
  expect(fromWorker(value)).toBeNull();
});
