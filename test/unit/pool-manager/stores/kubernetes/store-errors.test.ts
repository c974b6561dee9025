import { expect, test } from "vitest";
import { KubeError } from "../../../../../pool-manager/kubernetes/error.ts";
import { storeError } from "../../../../../pool-manager/stores/kubernetes/resource-client.ts";

test.each([
  [409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl": .spec.maxScale', "FIELD_OWNED"],
  [422, "Invalid", 'Function.berth.dev "f" is invalid: spec: Invalid value: minScale is above maxScale', "FIELD_OWNED"],
  [422, "Invalid", 'Secret "berth-fn-1" is invalid: data: Too long: may not be more than 1048576 bytes', "RECORD_TOO_LARGE"],
  [413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", "RECORD_TOO_LARGE"],
  [500, "InternalError", "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2500000 vs. 2097152)", "RECORD_TOO_LARGE"],
  [403, "Forbidden", "exceeded quota", "STORE_FAILED"],
  [0, "Unreachable", "connect ECONNREFUSED", "STORE_FAILED"],
])("a write that the API server answers with %i %s (%s) is told as %s…", (status, reason, message, code) => {
  const told = storeError("f", new KubeError(status, reason, message));
  expect([told.code, told.message]).toEqual([code, expect.stringContaining(message)]);
});
