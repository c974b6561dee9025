import { expect, test } from "vitest";
import type { LoadFailure } from "../../../../pool-manager/client/contract.ts";
import { Table } from "../../../../router/routing/table.ts";

test("the end of an instance is not attributed to a failed load that it survived minutes before", () => {
  let now = 0;
  const table = new Table({ upsert: () => {}, removed: () => {}, endpointGone: () => {} }, () => now);
  const failure: LoadFailure = { reason: "load", message: "r2 does not load", instanceUid: "i", retryAfterMs: 0 };
  const told: string[] = [];
  const ask = () => table.failureOf("i", ({ message }) => told.push(message));
  table.apply({ type: "failed", instanceUid: "i", failure });
  now = 1000;
  ask()();
  expect(told).toEqual(["r2 does not load"]);
  now = 60_000;
  ask();
  expect(told).toEqual(["r2 does not load"]);
  table.apply({ type: "failed", instanceUid: "i", failure: { ...failure, reason: "crash", message: "out of memory" } });
  expect(told).toEqual(["r2 does not load", "out of memory"]);
});
