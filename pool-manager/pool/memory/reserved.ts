import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import type { FunctionRegistry } from "../../functions/registry.ts";
import { INSTANCE_BYTES } from "./idle-memory.ts";

/** Bytes of the instances that functions keep in a pool by their `minScale`. */
export function reservedBytes(functions: Pick<FunctionRegistry, "wanting" | "poolOf">, pool: string): number {
  let bytes = 0;
  for (const record of functions.wanting()) {
    const { minScale } = record.scaling;
    if (minScale > 0 && functions.poolOf(record) === pool) bytes += minScale * memoryOf(record);
  }
  return bytes;
}

function memoryOf(record: FunctionRecord): number {
  return activeRevision(record).settings.resources?.memoryBytes ?? INSTANCE_BYTES;
}
