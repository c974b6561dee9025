import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatCount } from "../data/format.ts";
import type { SizeAnswer } from "../data/types.ts";

const HEIGHT = 170;

/** A plot of the hits and the idle instances that each size of a pool would have had. */
export function WhatIf({ sizes, label }: { sizes: readonly SizeAnswer[]; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(sizes);
  latest.current = sizes;
  useEffect(() => {
    const node = place.current;
    if (!node) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(node), dataOf(latest.current), node);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: node.clientWidth, height: HEIGHT }));
    resized.observe(node);
    addEventListener("berth-theme", draw);
    return () => {
      removeEventListener("berth-theme", draw);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf(sizes)), [sizes]);
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

function optionsOf(node: HTMLElement): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const line = { width: 1.5, points: { show: false } };
  const words = (unit: string, digits: number) => (_plot: uPlot, value: number | null) => (value === null ? "–" : `${value.toFixed(digits)} ${unit}`);
  return {
    width: node.clientWidth,
    height: HEIGHT,
    cursor: { y: false, drag: { x: false, y: false } },
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
