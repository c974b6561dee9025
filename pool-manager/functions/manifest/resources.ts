import type { Resources } from "../../../runtime-images/protocol/messages.ts";
import { ManagerError } from "../../errors.ts";
import { formatBytes, formatCpu, parseBytes, parseCpu } from "./quantity.ts";
import type { Patch } from "./schema.ts";

/** The most that a function can have here. */
export interface ResourceBounds {
  memoryBytes: number;
  cpuMillis: number;
  /** Whose they are, for the error: "this machine". */
  of: string;
  /** How to get more. */
  fix: string;
}

const MIB = 2 ** 20;

/** The memory in bytes that a worker of each runtime takes before it has loaded anything, with some room. */
const LEAST_MEMORY: Record<string, number> = { node: 64 * MIB, python: 48 * MIB, custom: 64 * MIB };

const LIMITS = {
  memory: { parse: parseBytes, format: formatBytes, min: 48 * MIB, max: 2 ** 43, unit: "an amount" },
  cpu: { parse: parseCpu, format: formatCpu, min: 10, max: 1_024_000, unit: "a share of processors" },
  ephemeralStorage: { parse: parseBytes, format: formatBytes, min: MIB, max: 2 ** 43, unit: "an amount" },
} as const;

/** The limits of a manifest, from a change and those in force: what is left out stays, null removes a limit. Throws `MANIFEST_INVALID`. */
export function resourcesOf(given: Patch, base: Resources): Resources {
  const { memoryBytes, cpuMillis, storageBytes, pids } = base;
  const all = {
    memoryBytes: quantity("memory", given.memory, memoryBytes),
    cpuMillis: quantity("cpu", given.cpu, cpuMillis),
    storageBytes: quantity("ephemeralStorage", given.ephemeralStorage, storageBytes),
    pids: given.pids === undefined ? pids : (given.pids ?? undefined),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Throws `MANIFEST_INVALID` for less than the runtime itself needs, and `RESOURCES_UNAVAILABLE` for more than there is here. */
export function checkResources(resources: Resources, runtime: string, bounds: ResourceBounds | null): void {
  const { memoryBytes } = resources;
  const least = LEAST_MEMORY[runtime] ?? 0;
  if (memoryBytes !== undefined && memoryBytes < least)
    throw invalid("memory", `${formatBytes(memoryBytes)} is less than a worker of the runtime ${runtime} itself needs; give it at least ${formatBytes(least)}`);
  const fault = excessOf(resources, bounds);
  if (fault) throw new ManagerError("RESOURCES_UNAVAILABLE", fault.message, fault.field);
}

/** Which limit is more than there is here, and how to get it; null: none is. */
export function excessOf({ memoryBytes = 0, cpuMillis = 0 }: Resources, bounds: ResourceBounds | null): { field: string; message: string } | null {
  if (!bounds) return null;
  if (memoryBytes > bounds.memoryBytes) return excess("memory", formatBytes(memoryBytes), formatBytes(bounds.memoryBytes), bounds);
  return cpuMillis > bounds.cpuMillis ? excess("cpu", formatCpu(cpuMillis), formatCpu(bounds.cpuMillis), bounds) : null;
}

/** Limits as users write them. */
export function shownResources({ memoryBytes, cpuMillis, storageBytes, pids }: Resources = {}) {
  return {
    memory: memoryBytes === undefined ? null : formatBytes(memoryBytes),
    cpu: cpuMillis === undefined ? null : formatCpu(cpuMillis),
    ephemeralStorage: storageBytes === undefined ? null : formatBytes(storageBytes),
    pids: pids ?? null,
  };
}

function quantity(field: keyof typeof LIMITS, value: string | number | null | undefined, kept: number | undefined): number | undefined {
  if (value === undefined) return kept;
  if (value === null) return undefined;
  const { parse, format, min, max, unit } = LIMITS[field];
  const parsed = parse(value);
  if (parsed === null || parsed < min || parsed > max) {
    throw invalid(field, `must be ${unit} from ${format(min)} to ${format(max)}, and is ${JSON.stringify(value)}`);
  }
  return parsed;
}

function invalid(field: string, message: string): ManagerError {
  return new ManagerError("MANIFEST_INVALID", `${field}: ${message}`, field);
}

function excess(field: string, wanted: string, most: string, { of, fix }: ResourceBounds): { field: string; message: string } {
  return { field, message: `${field}: ${wanted} is more than the ${most} of ${of}; ${fix}` };
}
