import { expect, test } from "vitest";
import { LoadFailures } from "../../../../../pool-manager/pool/observe/load-failures.ts";

test("a failure counts once, also after so many others that the oldest are forgotten", () => {
  const failures = new LoadFailures();
  const record = (at: number) => failures.record("f", "r1", `i${at}/1`, `i${at}`, { reason: "load", message: "broken", revision: "r1" }, 0);
  for (let at = 0; at < 10_002; at++) expect(record(at)).toBe(true);
  expect(record(10_000)).toBe(false);
});
