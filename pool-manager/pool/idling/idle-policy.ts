import { counted, percent } from "../sizing/words.ts";
import { BIN_MS, BINS, type IdleCounts } from "./idle-histogram.ts";

/** With fewer idle times nothing is known. */
const FEWEST = 5;
/** A shorter pause is not worth an unload and a load. */
const SHORTEST_PAUSE_BINS = 2;
/** A window is widened by this share of its bounds on each side. */
const MARGIN = 0.1;
/** The cost of a load before an expected invocation, in milliseconds of an idle instance. */
const RELOAD_MS = 30_000;

/** Everything that a decision depends on: the same inputs give the same decision. */
export interface IdleInputs extends IdleCounts {
  /** How long an idle instance is kept while the histogram says too little. */
  standardMs: number;
  /** How long an instance may be idle for each start that this avoids. */
  worthMs: number;
}

/** When an idle function has an instance: from `pauseMs` after its last invocation until `keepMs` after it. */
export interface IdleDecision {
  /** 0: the instance is kept from the beginning. Otherwise it is removed, and another one is loaded at this time. */
  pauseMs: number;
  keepMs: number;
  reason: string;
}

const minutes = (ms: number) => `${Math.round(ms / 60_000)} min`;

interface Window {
  /** First bin, and the bin after the last. */
  from: number;
  to: number;
  /** Expected cost of an idle time, in milliseconds of an idle instance. */
  cost: number;
  /** Share of the idle times that end in it. */
  share: number;
}

/**
 * The window of an idle time in which an instance is kept: the one whose expected idle time and avoided starts cost least. An
 * invocation outside of it needs a start, which costs `worthMs`. The windows follow the hybrid histogram policy (Shahrad et
 * al., Serverless in the Wild, USENIX ATC 2020); costs take the place of its percentiles.
 */
export function decideIdle(inputs: IdleInputs): IdleDecision {
  const total = inputs.bins.reduce((sum, [, count]) => sum + count, inputs.beyond);
  if (total < FEWEST) {
    return { pauseMs: 0, keepMs: inputs.standardMs, reason: `the standard time, until ${FEWEST} idle times are known: now ${total}` };
  }
  const { from, to, share } = cheapest(inputs, total);
  const pauseMs = from < SHORTEST_PAUSE_BINS ? 0 : Math.round(from * BIN_MS * (1 - MARGIN));
  const keepMs = Math.round(Math.min(BINS, to) * BIN_MS * (1 + MARGIN));
  const kept = pauseMs === 0 ? `for ${minutes(keepMs)}` : `from ${minutes(pauseMs)} to ${minutes(keepMs)}`;
  return { pauseMs, keepMs, reason: `an instance ${kept} after the last invocation: ${percent(share)} of ${counted(total, "idle time")} end then` };
}

/** One idle time beyond all bins is assumed beside those that are known: few of them prove no long window. */
function cheapest(inputs: IdleInputs, total: number): Window {
  const from = [0, ...inputs.bins.map(([bin]) => bin).filter((bin) => bin >= SHORTEST_PAUSE_BINS)];
  return from.flatMap((bin) => windowsFrom(inputs, total, bin)).reduce((best, window) => (window.cost < best.cost ? window : best));
}

/** The windows that begin with a bin: until the end of each bin that is not empty, and the shortest one of those from the beginning. */
function windowsFrom({ bins, worthMs }: IdleInputs, total: number, from: number): Window[] {
  const windows: Window[] = [];
  const before = bins.reduce((sum, [bin, count]) => (bin < from ? sum + count : sum), 0);
  const reload = from > 0 ? ((total + 1 - before) * RELOAD_MS) / (total + 1) : 0;
  let inside = 0;
  let held = 0;
  const until = (to: number) => {
    const later = total + 1 - before - inside;
    const idle = held + later * (to - from) * BIN_MS;
    windows.push({ from, to, share: inside / total, cost: (idle + (before + later) * worthMs) / (total + 1) + reload });
  };
  if (from === 0 && bins[0]?.[0] !== 0) until(1);
  for (const [bin, count] of bins) {
    if (bin < from) continue;
    inside += count;
    held += count * (bin - from + 0.5) * BIN_MS;
    until(bin + 1);
  }
  return windows;
}
