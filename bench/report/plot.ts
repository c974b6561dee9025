import { decodeFromCompressedBase64 } from "hdr-histogram-js";
import type { Config } from "vega";
import type { TopLevelSpec } from "vega-lite";
import type { Scenario } from "./scenario.ts";

const WIDTH = 640;
/** Legible on light and on dark pages. */
const GREY = "#7b8794";
const CONFIG: Config = {
  background: "transparent",
  axis: { labelColor: GREY, titleColor: GREY, tickColor: GREY, domainColor: GREY, gridColor: GREY, gridOpacity: 0.25, labelLimit: 0 },
  legend: { labelColor: GREY, titleColor: GREY, labelLimit: 0 },
  title: { color: GREY },
} as Config;
const PHASE_COLORS = ["#8d99a6", "#2b6cb0", "#dd8b20", "#2f855a"];

/** Median and tails of each scenario on a logarithmic axis, as SVG; null: no scenario has latencies, or Vega is not installed. */
export function quantiles(scenarios: readonly Scenario[]): Promise<string | null> {
  const values = scenarios.flatMap(({ name, p50Ms, p90Ms, p99Ms }) =>
    p50Ms === undefined
      ? []
      : [
          { name, quantile: "p50", ms: p50Ms },
          { name, quantile: "p90", ms: p90Ms },
          { name, quantile: "p99", ms: p99Ms },
        ],
  );
  return drawn(values, {
    height: { step: 36 },
    mark: { type: "point", filled: true, size: 90 },
    encoding: {
      y: { field: "name", type: "nominal", title: null, sort: namesOf(scenarios) },
      x: { field: "ms", type: "quantitative", scale: { type: "log" }, title: "milliseconds (log)" },
      color: { field: "quantile", type: "nominal", title: null, scale: { range: ["#2b6cb0", "#dd8b20", "#c53030"] } },
    },
  });
}

/** Memory against the share of invocations that needed a start, a point for each policy of a replay, as SVG; null: none was replayed. */
export function tradeoff(scenarios: readonly Scenario[]): Promise<string | null> {
  const values = scenarios.flatMap(({ name, startShare, memorySeconds }) =>
    startShare === undefined || memorySeconds === undefined ? [] : [{ name, startShare, memory: memorySeconds / 1024 / 3600 }],
  );
  return drawn(values, {
    height: 280,
    mark: { type: "point", filled: true, size: 120 },
    encoding: {
      x: { field: "memory", type: "quantitative", scale: { zero: false }, title: "memory of all instances, GB·h" },
      y: { field: "startShare", type: "quantitative", axis: { format: ".1%" }, title: "invocations that needed a start" },
      color: { field: "name", type: "nominal", title: null, sort: namesOf(scenarios) },
    },
  });
}

/** The cumulative distribution of each scenario's latencies, as SVG; null: no scenario has them. */
export function distribution(scenarios: readonly Scenario[]): Promise<string | null> {
  const values = scenarios.flatMap(({ name, latencies }) => (latencies === undefined ? [] : steps(latencies).map((step) => ({ name, ...step }))));
  return drawn(values, {
    height: 280,
    mark: { type: "line", interpolate: "step-after" },
    encoding: {
      x: { field: "ms", type: "quantitative", scale: { type: "log" }, title: "milliseconds (log)" },
      y: { field: "share", type: "quantitative", axis: { format: "%" }, title: null },
      color: { field: "name", type: "nominal", title: null, sort: namesOf(scenarios) },
    },
  });
}

/** The median of each phase of each scenario, one after the other, as SVG; null: no scenario has phases. */
export function phases(scenarios: readonly Scenario[]): Promise<string | null> {
  const values = scenarios.flatMap(({ name, phases = {} }) => Object.entries(phases).map(([phase, { p50Ms }], order) => ({ name, phase, order, ms: p50Ms })));
  const sort = [...new Set(values.map(({ phase }) => phase))];
  return drawn(values, {
    height: { step: 28 },
    mark: { type: "bar" },
    encoding: {
      y: { field: "name", type: "nominal", title: null, sort: namesOf(scenarios) },
      x: { field: "ms", type: "quantitative", title: "milliseconds" },
      color: { field: "phase", type: "nominal", title: null, sort, scale: { domain: sort, range: PHASE_COLORS } },
      order: { field: "order" },
    },
  });
}

function steps(latencies: string): { ms: number; share: number }[] {
  const histogram = decodeFromCompressedBase64(latencies);
  const shares = Array.from({ length: 201 }, (_, i) => i / 2);
  return shares.map((percent) => ({ ms: Math.max(0.001, histogram.getValueAtPercentile(percent) / 1000), share: percent / 100 }));
}

const namesOf = (scenarios: readonly Scenario[]) => scenarios.map(({ name }) => name);

type Drawing = Record<string, unknown>;

/** Whether plots can be drawn: Vega is a package of development, which an installation for production lacks. */
export async function canPlot(): Promise<boolean> {
  return (await vega()) !== null;
}

async function vega() {
  try {
    const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
    return { parse, View, compile };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return null;
    throw error;
  }
}

async function drawn(values: readonly object[], drawing: Drawing): Promise<string | null> {
  const library = values.length === 0 ? null : await vega();
  if (library === null) return null;
  const { parse, View, compile } = library;
  const spec = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", width: WIDTH, data: { values }, ...drawing } as unknown as TopLevelSpec;
  return new View(parse(compile(spec).spec, CONFIG), { renderer: "none" }).toSVG();
}
