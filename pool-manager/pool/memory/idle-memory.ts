import { formatBytes } from "../../functions/manifest/quantity.ts";

/** Assumed memory of an instance without a limit of its own, in bytes. */
export const INSTANCE_BYTES = 96 * 2 ** 20;

/** The limit on the memory of a pool's instances that run no invocation, all of them together. Sizes are in bytes. */
export interface IdleMemory {
  limit: number;
  /** Memory of a free instance, and of one whose function has no limit of its own. */
  instance: number;
  /** Memory of the instances of `minScale`, which are kept in any case. */
  reserved: number;
}

/** The number of free instances that fit beside those of `minScale`. */
export function freeAllowed({ limit, instance, reserved }: IdleMemory): number {
  return Math.max(0, Math.floor((limit - reserved) / instance));
}

/** The most that a size within `least` and `max` may be: what fits, and `least` in any case. */
export function sizeCap(memory: IdleMemory | null | undefined, least: number, max: number): number {
  return memory ? Math.min(max, Math.max(least, freeAllowed(memory))) : max;
}

/** Such as "idleMemory of 2Gi, of which minScale has 512Mi, allows 16". */
export function allowedInWords(memory: IdleMemory): string {
  const { limit, reserved } = memory;
  const kept = reserved > 0 ? `, of which minScale has ${formatBytes(reserved)},` : "";
  return `idleMemory of ${formatBytes(limit)}${kept} allows ${freeAllowed(memory)}`;
}

/** Why `idleMemory` has no room for the free instances that a user wants in any case; null: it has. `name`: `min` or `size`. `bytes`: of a free instance. */
export function sizeFault(limit: number, name: string, least: number, bytes: number): string | null {
  const taken = least * bytes;
  if (taken <= limit) return null;
  const each = least === 1 ? "" : `, ${formatBytes(bytes)} each`;
  return `${formatBytes(limit)} has no room for ${name} ${least}, which takes ${formatBytes(taken)}${each}`;
}

/** A message about sizes that users have set and that take more than `idleMemory`; empty: they fit. */
export function exceededInWords({ limit, instance, reserved }: IdleMemory, name: string, least: number): string[] {
  const free = least * instance;
  if (free + reserved <= limit) return [];
  const parts = [
    ...(free > 0 ? [`${name} ${least} takes ${formatBytes(free)}`] : []),
    ...(reserved > 0 ? [`minScale of functions ${formatBytes(reserved)}`] : []),
  ];
  return [`idleMemory of ${formatBytes(limit)} is exceeded: ${parts.join(", ")}; these are kept, and no other instance without an invocation`];
}
