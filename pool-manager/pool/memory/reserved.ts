import { type FunctionRecord, type Revision, servedRevisions } from "../../functions/function.ts";
import type { FunctionRegistry } from "../../functions/registry.ts";
import { keptBeside } from "../../functions/traffic.ts";
import { INSTANCE_BYTES } from "./idle-memory.ts";

/** Bytes of the instances that functions keep in a pool by their `minScale`, and of other revisions by `minScales` of their traffic. */
export function reservedBytes(functions: Pick<FunctionRegistry, "wanting" | "poolOf">, pool: string): number {
  let bytes = 0;
  for (const record of functions.wanting()) {
    for (const revision of servedRevisions(record)) {
      const kept = keptOf(record, revision);
      if (kept > 0 && functions.poolOf(record, revision) === pool) bytes += kept * memoryOf(revision);
    }
  }
  return bytes;
}

function keptOf(record: FunctionRecord, { id }: Revision): number {
  return id === record.active ? record.scaling.minScale : keptBeside(record, id);
}

function memoryOf({ settings }: Revision): number {
  return settings.resources?.memoryBytes ?? INSTANCE_BYTES;
}
