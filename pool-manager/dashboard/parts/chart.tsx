import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

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
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ ago, lines });
  latest.current = { ago, lines };
  useEffect(() => {
    const node = place.current;
    if (!node) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(node, latest.current.lines, isLog), dataOf(latest.current), node);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: node.clientWidth, height: 150 }));
    resized.observe(node);
    addEventListener("berth-theme", draw);
    return () => {
      removeEventListener("berth-theme", draw);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, [isLog]);
  useEffect(() => plot.current?.setData(dataOf({ ago, lines })), [ago, lines]);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} />
    </figure>
  );
}

function dataOf({ ago, lines }: { ago: number[]; lines: Line[] }): uPlot.AlignedData {
  return [ago.map((seconds) => -seconds), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
}

function optionsOf(node: HTMLElement, lines: Line[], isLog: boolean): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const format = lines[0]?.format ?? String;
  return {
    width: node.clientWidth,
    height: 150,
    cursor: { y: false, drag: { x: false, y: false } },
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
