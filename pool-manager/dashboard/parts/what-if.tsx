import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { formatCount } from "../data/format.ts";
import type { SizeAnswer } from "../data/types.ts";
import { type Colours, type PlotOptions, usePlot } from "./use-plot.ts";

/** A plot of the hits and the idle instances that each size of a pool would have had. */
export function WhatIf({ sizes, label }: { sizes: readonly SizeAnswer[]; label: string }) {
  const data = useMemo(() => dataOf(sizes), [sizes]);
  const place = usePlot({ height: 170, data, options: optionsOf });
  return (
    <figure class="chart" aria-label={label}>
      <figcaption>{label}</figcaption>
      <div ref={place} />
    </figure>
  );
}

function dataOf(sizes: readonly SizeAnswer[]): uPlot.AlignedData {
  return [
    sizes.map(({ size }) => size),
    sizes.map(({ hit }) => (hit === null ? null : 100 * hit)),
    sizes.map(({ instanceSeconds }) => instanceSeconds / 3600),
  ] as uPlot.AlignedData;
}

function optionsOf({ color, axis }: Colours): PlotOptions {
  const line = { width: 1.5, points: { show: false } };
  const words = (unit: string, digits: number) => (_plot: uPlot, value: number | null) => (value === null ? "–" : `${value.toFixed(digits)} ${unit}`);
  return {
    scales: { x: { time: false }, y: { range: [0, 100] }, cost: { range: (_plot, _min, max) => [0, Math.max(max * 1.05, 0.01)] } },
    axes: [
      { ...axis, size: 26, space: 50, values: (_plot, splits) => splits.map((size) => (Number.isInteger(size) ? formatCount(size) : "")) },
      { ...axis, size: 48, values: (_plot, splits) => splits.map((value) => `${value} %`) },
      {
        ...axis,
        size: 58,
        side: 1,
        scale: "cost",
        grid: { show: false },
        values: (_plot, splits) => splits.map((value) => `${Number(value.toPrecision(3))} h`),
      },
    ],
    series: [
      { label: "size", value: (_plot, size) => (size === null ? "–" : String(size)) },
      { label: "hit", stroke: color("--accent"), fill: `${color("--accent")}22`, value: words("%", 1), ...line },
      { label: "instance hours", scale: "cost", stroke: color("--quiet"), dash: [4, 3], value: words("h", 2), ...line },
    ],
  };
}
