/** Units of amounts, as Kubernetes has them. */
const UNITS: Record<string, number> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
/** The units in which amounts are shown, the largest first. */
const SHOWN = ["Ti", "Gi", "Mi", "Ki"];

/** Bytes of an amount: "256Mi", "1.5Gi", "500M", or a number of bytes; a part of a byte counts as one. Null if it is not an amount. */
export function parseBytes(value: string | number): number | null {
  const match = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(value));
  if (!match) return null;
  const bytes = Math.ceil(Number(match[1]) * (UNITS[match[2] ?? ""] as number));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest exact notation of an amount. */
export function formatBytes(bytes: number): string {
  const unit = SHOWN.find((one) => bytes >= (UNITS[one] as number) && bytes % (UNITS[one] as number) === 0);
  return unit ? `${bytes / (UNITS[unit] as number)}${unit}` : String(bytes);
}

/** Thousandths of a core: "500m", "2", "0.5", or a number of cores; a part of a thousandth counts as one. Null if it is not a share of processors. */
export function parseCpu(value: string | number): number | null {
  const match = /^(\d+(?:\.\d+)?)(m)?$/.exec(String(value));
  if (!match) return null;
  // A product such as 0.07 × 1000 is a little above 70.
  const millis = Math.ceil(Number((Number(match[1]) * (match[2] ? 1 : 1000)).toFixed(6)));
  return Number.isSafeInteger(millis) ? millis : null;
}

export function formatCpu(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;
}
