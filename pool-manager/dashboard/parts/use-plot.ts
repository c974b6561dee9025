import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** Options of a plot, which has the size of its element and a cursor without a horizontal line. */
export type PlotOptions = Omit<uPlot.Options, "width" | "height" | "cursor">;

interface Plotted {
  /** In pixels; the width is that of the element. */
  height: number;
  /** A change makes a new plot; changed data only move its lines. */
  mark?: unknown;
  /** Identical until it changes. */
  data: uPlot.AlignedData;
  /** Called for each new plot: colours follow the theme. */
  options(colours: Colours): PlotOptions;
}

/** Colours of the theme. */
export interface Colours {
  /** The value of a CSS variable. */
  color(name: string): string;
  axis: uPlot.Axis;
}

/** Keeps a plot in the element that gets the returned ref. */
export function usePlot(plotted: Plotted): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(plotted);
  latest.current = plotted;
  const { height, mark, data } = plotted;
  useEffect(() => {
    const node = place.current;
    if (!node) return;
    const draw = () => {
      plot.current?.destroy();
      const options = { cursor: { y: false, drag: { x: false, y: false } }, ...latest.current.options(coloursNow()), width: node.clientWidth, height };
      plot.current = new uPlot(options, latest.current.data, node);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: node.clientWidth, height }));
    resized.observe(node);
    addEventListener("berth-theme", draw);
    return () => {
      removeEventListener("berth-theme", draw);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, [height, mark]);
  useEffect(() => plot.current?.setData(data), [data]);
  return place;
}

function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return { color, axis };
}
