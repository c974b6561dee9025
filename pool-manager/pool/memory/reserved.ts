import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import { INSTANCE_BYTES } from "./idle-memory.ts";

/** Bytes of the instances that the functions of a runtime keep by their `minScale`. */
export function reservedBytes(records: Iterable<FunctionRecord>, runtime: string): number {
  let bytes = 0;
  for (const record of records) {
    if (record.runtime !== runtime || record.scaling.minScale === 0) continue;
    bytes += record.scaling.minScale * (activeRevision(record).settings.resources?.memoryBytes ?? INSTANCE_BYTES);
  }
  return bytes;
}
