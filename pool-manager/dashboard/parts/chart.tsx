import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { type Colours, type PlotOptions, usePlot } from "./use-plot.ts";

export interface Line {
  label: string;
  /** Name of the CSS variable with its colour. */
  color: string;
  values: (number | null)[];
  format(value: number): string;
  isFilled?: boolean;
}

/** Lines over the last minutes; `ago` are the seconds of the points, oldest first. */
export function Chart({ title, ago, lines, isLog = false }: { title: string; ago: number[]; lines: Line[]; isLog?: boolean }) {
  const data = useMemo(() => dataOf(ago, lines), [ago, lines]);
  const place = usePlot({ height: 150, mark: isLog, data, options: (colours) => optionsOf(colours, lines, isLog) });
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} />
    </figure>
  );
}

function dataOf(ago: number[], lines: Line[]): uPlot.AlignedData {
  return [ago.map((seconds) => -seconds), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
}

function optionsOf({ color, axis }: Colours, lines: Line[], isLog: boolean): PlotOptions {
  const format = lines[0]?.format ?? String;
  return {
    legend: { live: true },
    scales: { x: { time: false }, y: isLog ? { distr: 3, log: 10 } : { range: (_plot, _min, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [
      { ...axis, size: 26, space: 70, values: (_plot, splits) => splits.map((seconds) => (seconds === 0 ? "now" : `${seconds} s`)) },
      { ...axis, size: 58, values: (_plot, splits) => splits.map((value) => (value === null ? "" : format(value))) },
    ],
    series: [
      { label: "time", value: (_plot, seconds) => (seconds === null ? "–" : `${Math.round(-seconds)} s ago`) },
      ...lines.map(({ label, color: name, format: words, isFilled }) => ({
        label,
        stroke: color(name),
        width: 1.5,
        points: { show: isLog, size: 4 },
        spanGaps: false,
        ...(isFilled && { fill: `${color(name)}26` }),
        value: (_plot: uPlot, value: number | null) => (value === null ? "–" : words(value)),
      })),
    ],
  };
}
