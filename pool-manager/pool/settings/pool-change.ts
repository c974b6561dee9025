import { ManagerError } from "../../errors.ts";
import { formatBytes, parseBytes } from "../../functions/manifest/quantity.ts";
import { checkWarm } from "../../schedules/field.ts";
import type { AutoSize, PoolSpec } from "../decide/world.ts";
import { INSTANCE_BYTES, sizeFault } from "../memory/idle-memory.ts";
import { AUTO, DEFAULT_MIN, DEFAULT_TARGET_HIT, MAX_INSTANCES, type PoolChange } from "./pool-fields.ts";

/** A pool with a change of its settings; fields left out are unchanged. Throws `POOL_INVALID` or `SCHEDULE_INVALID` with the field. */
export function changed(pool: PoolSpec, change: PoolChange): PoolSpec {
  const { max, budget, partition, paused } = change;
  const { warm: before, idleMemory: bytesBefore, ...rest } = pool;
  const given = change.warm ?? before ?? [];
  const auto = autoOf(pool, change);
  const idleMemory = change.idleMemory === undefined ? bytesBefore : memoryOf(change.idleMemory);
  const size = auto ? auto.min : typeof change.size === "number" ? change.size : pool.size;
  const next: PoolSpec = {
    ...rest,
    auto,
    size,
    max: max ?? Math.max(pool.max, typeof change.size === "number" ? change.size : 0),
    budget: budget ?? pool.budget,
    partition: partition ?? pool.partition,
    paused: paused ?? pool.paused,
    ...(given.length > 0 && { warm: given }),
    ...(idleMemory !== undefined && { idleMemory }),
  };
  check(next);
  // One that this machine's capacity caps below its schedules can still be changed otherwise.
  if (change.warm !== undefined || change.max !== undefined) checkWarm(next.warm, next.max, "max");
  return next;
}

function memoryOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const bytes = parseBytes(text);
  if (bytes === null) throw new ManagerError("POOL_INVALID", `idleMemory: ${JSON.stringify(text.slice(0, 40))} is not an amount such as 4Gi`, "idleMemory");
  return bytes;
}

/**
 * Throws `POOL_INVALID` if a change leaves `idleMemory` without room for what is kept in any case. A stored pool is not checked: it
 * stays as it is, and its problem is shown.
 */
export function checkIdleMemory({ idleMemory, auto, size, sizeClass = INSTANCE_BYTES }: PoolSpec, change: PoolChange): void {
  if (change.idleMemory === undefined && change.size === undefined && change.min === undefined) return;
  const fault = idleMemory === undefined ? null : sizeFault(idleMemory, auto ? "min" : "size", auto ? auto.min : size, sizeClass);
  if (fault) throw new ManagerError("POOL_INVALID", `idleMemory: ${fault}`, "idleMemory");
}

/** How the pool sizes itself after the change; null: its size is fixed. */
function autoOf(pool: PoolSpec, { size, targetHit, min }: PoolChange): AutoSize | null {
  const isAuto = size === undefined ? Boolean(pool.auto) : size === AUTO;
  if (isAuto) return { targetHit: targetHit ?? pool.auto?.targetHit ?? DEFAULT_TARGET_HIT, min: min ?? pool.auto?.min ?? Math.min(DEFAULT_MIN, pool.max) };
  const [field] = targetHit !== undefined ? ["targetHit"] : min !== undefined ? ["min"] : [];
  if (field) throw new ManagerError("POOL_INVALID", `${field}: it applies to size auto alone, and the size is ${size ?? pool.size}`, field);
  return null;
}

function check({ size, max, budget, auto }: PoolSpec): void {
  if (auto) checkAuto(auto, max);
  if (max < 1 || max > MAX_INSTANCES) throw new ManagerError("POOL_INVALID", `max: ${max} is not between 1 and ${MAX_INSTANCES}`, "max");
  if (size < 0 || size > max) throw new ManagerError("POOL_INVALID", `size: ${size} is not between 0 and max ${max}`, "size");
  if (budget.actions < 1 || budget.windowMs < 100) {
    throw new ManagerError("POOL_INVALID", "budget: at least 1 action in a window of at least 100 ms", "budget");
  }
}

function checkAuto({ targetHit, min }: AutoSize, max: number): void {
  if (!(targetHit >= 0.5 && targetHit <= 0.9999)) throw new ManagerError("POOL_INVALID", `targetHit: ${targetHit} is not between 0.5 and 0.9999`, "targetHit");
  if (min > max) throw new ManagerError("POOL_INVALID", `min: ${min} is above max ${max}`, "min");
}

/** A pool's settings as they are declared and stored: of one that sizes itself `auto` and its bounds instead of a number. */
export function declarationOf({ size, auto, max, budget, partition, paused, warm, idleMemory }: PoolSpec): PoolChange {
  const optional = { ...(warm && { warm }), ...(idleMemory !== undefined && { idleMemory: formatBytes(idleMemory) }) };
  return { ...(auto ? { size: AUTO, ...auto } : { size }), max, budget, partition, paused, ...optional };
}
