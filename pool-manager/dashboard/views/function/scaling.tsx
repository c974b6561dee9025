import { functionPath } from "../../data/api.ts";
import type { FunctionAdviceAnswer, FunctionAnswer } from "../../data/types.ts";
import { usePoll } from "../../data/use-poll.ts";
import { ErrorNote } from "../../parts/error-note.tsx";

const EVERY_MS = 30_000;

/** Why a function has as many instances as it has, and what its record advises. */
export function ScalingPanel({ detail }: { detail: FunctionAnswer }) {
  const { data, error } = usePoll<FunctionAdviceAnswer>(functionPath(detail.name, "/advice?window=24h"), EVERY_MS, detail.uid);
  return (
    <section class="card" aria-label="Scaling">
      <header>
        <h2>Scaling</h2>
        <span class="quiet">
          {detail.minScale} to {detail.maxScale}, {detail.concurrency} at a time each
        </span>
      </header>
      <ul class="notes">
        {[windowsInWords(detail), idlingInWords(detail), ...(data?.text ?? [])].map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
      {error && <ErrorNote error={error} />}
    </section>
  );
}

function windowsInWords({ windows, scaling }: FunctionAnswer): string {
  if (!scaling) return "scales by the present demand";
  if (!windows) return "scales by windows, and has no load now";
  const rising = windows.panicking ? ", since the load rises" : "";
  return `scales by windows: ${windows.stable} at a time on average, ${windows.panic} in the last tenth; they want ${windows.wanted}${rising}`;
}

function idlingInWords({ idling, idleTimeout }: FunctionAnswer): string {
  return idling ? `idle instances: ${idling.reason}` : `an idle instance is kept for ${idleTimeout}`;
}
