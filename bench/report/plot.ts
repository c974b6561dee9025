import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Scenario } from "./scenario.ts";

/** Plots median and tails of each scenario on a logarithmic axis, as SVG. */
export async function plot(scenarios: readonly Scenario[]): Promise<string> {
  const values = scenarios.flatMap(({ name, p50Ms, p90Ms, p99Ms }) =>
    p50Ms === undefined
      ? []
      : [
          { name, quantile: "p50", ms: p50Ms },
          { name, quantile: "p90", ms: p90Ms },
          { name, quantile: "p99", ms: p99Ms },
        ],
  );
  const spec: TopLevelSpec = {
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    title: "Time to the first byte, from the intended send",
    width: 520,
    height: { step: 36 },
    data: { values },
    mark: { type: "point", filled: true, size: 90 },
    encoding: {
      y: { field: "name", type: "nominal", title: null, sort: scenarios.map((scenario) => scenario.name) },
      x: { field: "ms", type: "quantitative", scale: { type: "log" }, title: "milliseconds (log)" },
      color: { field: "quantile", type: "nominal", title: null, scale: { range: ["#2b6cb0", "#dd8b20", "#c53030"] } },
    },
  };
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}
