import { formatCount, formatPercent } from "../data/format.ts";
import type { StatisticsView } from "../data/types.ts";

const KINDS = ["warm", "prewarmed", "cold"] as const;

/** The shares of the start kinds as one bar; the numbers are its tooltip and its text for readers. */
export function StartsBar({ starts }: { starts: StatisticsView["starts"] }) {
  const total = starts.warm + starts.prewarmed + starts.cold;
  const words = KINDS.map((kind) => `${kind} ${formatCount(starts[kind])} (${formatPercent(starts[kind], total)})`).join(", ");
  if (total === 0) return <span class="quiet">–</span>;
  return (
    <span class="starts" role="img" aria-label={words} title={words}>
      {KINDS.filter((kind) => starts[kind] > 0).map((kind) => (
        <i key={kind} class={kind} style={{ flexGrow: Math.max(starts[kind] / total, 0.03) }} />
      ))}
    </span>
  );
}
