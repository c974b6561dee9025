import { formatMs } from "../data/format.ts";
import type { StatisticsView } from "../data/types.ts";

const WORDS = {
  queue: "wait for an instance",
  claim: "claim of a prewarmed instance",
  load: "load of the code",
  run: "the function, to its first byte",
  total: "to the end of the response",
} as const;
const PHASES = ["queue", "claim", "load", "run", "total"] as const;

/** p50 and p99 of each phase on one logarithmic scale: phases differ by orders of magnitude. */
export function PhaseTable({ phases }: { phases: StatisticsView["phases"] }) {
  const most = Math.max(1, ...PHASES.map((phase) => phases[phase]?.p99 ?? 0));
  const width = (ms: number) => `${(100 * Math.log1p(ms * 16)) / Math.log1p(most * 16)}%`;
  return (
    <table class="phases">
      <thead>
        <tr>
          <th>Phase</th>
          <th class="num">p50</th>
          <th class="num">p99</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {PHASES.map((phase) => {
          const { p50, p99 } = phases[phase] ?? { p50: null, p99: null };
          return (
            <tr key={phase} class={phase}>
              <th title={WORDS[phase]}>{phase}</th>
              <td class="num">{formatMs(p50)}</td>
              <td class="num">{formatMs(p99)}</td>
              <td class="scale" aria-hidden="true">
                {p99 !== null && <i class="tail" style={{ width: width(p99) }} />}
                {p50 !== null && <i class="middle" style={{ width: width(p50) }} />}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** One invocation's time as one bar. */
export function PhaseBar({ phases, totalMs }: { phases: Record<"queue" | "claim" | "load" | "run", number>; totalMs: number }) {
  const parts = (["queue", "claim", "load", "run"] as const).map((phase) => ({ phase: phase as string, ms: phases[phase] }));
  const known = parts.reduce((sum, { ms }) => sum + ms, 0);
  const all = [...parts, { phase: "rest", ms: Math.max(0, totalMs - known) }];
  const whole = Math.max(totalMs, known, 0.01);
  return (
    <figure class="phasebar">
      <div class="bar" aria-hidden="true">
        {all.map(({ phase, ms }) => ms > 0 && <i key={phase} class={phase} style={{ width: `${(100 * ms) / whole}%` }} />)}
      </div>
      <figcaption>
        {all.map(({ phase, ms }) => (
          <span key={phase} class={phase} title={phase === "rest" ? "the way to the router and back, and the rest of the response" : WORDS[phase as "queue"]}>
            {phase} <b>{formatMs(ms)}</b>
          </span>
        ))}
        <span class="total">
          total <b>{formatMs(totalMs)}</b>
        </span>
      </figcaption>
    </figure>
  );
}
