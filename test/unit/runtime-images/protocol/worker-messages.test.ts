import { expect, test } from "vitest";
import { fromWorker } from "../../../../runtime-images/protocol/worker.ts";

const WORKERS = [
  { type: "ready", port: 4000 },
  { type: "loaded" },
  { type: "loading", message: "it waits" },
  { type: "loadFailed", message: "no handler" },
  { type: "answered" },
  { type: "crashed", message: "" },
  { type: "ailing", message: "a rejection", deadlineMs: 30_000 },
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
  [{ type: "crashed" }],
  [{ type: "ailing", message: "", deadlineMs: 2 ** 31 }],
  [{ type: "ailing", message: "", deadlineMs: -1 }],
])("anything else that code of a function sends is no message: %j", (value) => {
  expect(fromWorker(value)).toBeNull();
});
