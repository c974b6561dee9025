import { readFileSync } from "node:fs";
import type { Registry } from "prom-client";
import { expect, test } from "vitest";
import { ManagerMetrics } from "../../../pool-manager/metrics.ts";
import { RouterMetrics } from "../../../router/metrics.ts";
import { Losses } from "../../../telemetry/losses.ts";

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

const { panels } = JSON.parse(readFileSync("deploy/chart/dashboards/berth.json", "utf8")) as { panels: Panel[] };

/** Labels that Prometheus adds to each series or that quantiles use. */
const ADDED = ["instance", "job", "le"];

/** The label names of each metric. prom-client keeps them, and its types do not say so. */
const labels = new Map([new ManagerMetrics().registry, new RouterMetrics().registry, new Losses().registry].flatMap(labelsOf));

function labelsOf(registry: Registry): [string, string[]][] {
  return registry.getMetricsAsArray().map(({ name, labelNames = [] }: { name: string; labelNames?: readonly string[] }) => [name, [...ADDED, ...labelNames]]);
}

/** The metrics of a query, and the labels that it selects, adds up by or prints. */
function namesIn(expr: string, legend: string): { metrics: string[]; used: string[] } {
  const metrics = [...expr.matchAll(/berth_[a-z_]+/g)].map(([found]) => found.replace(/_bucket$/, ""));
  const selected = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) => [...list.matchAll(/(\w+)\s*(?:=|!)/g)].map(([, label = ""]) => label));
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
  const printed = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
  return { metrics, used: [...selected, ...grouped, ...printed] };
}

const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, legendFormat }) => [title, expr, legendFormat] as const));

test.each(queries)("%s: %s asks for a metric that exists, by labels that it has", (_title, expr, legend) => {
  const { metrics, used } = namesIn(expr, legend);
  expect(metrics).not.toEqual([]);
  for (const metric of metrics) {
    expect([...labels.keys()]).toContain(metric);
    expect(labels.get(metric)).toEqual(expect.arrayContaining(used));
  }
});

test("a query prints only labels by which it has added up", () => {
  for (const [title, expr, legend] of queries) {
    const grouped = namesIn(expr, "").used;
    const printed = namesIn("", legend).used;
    if (/\b(sum|max)\b/.test(expr)) expect([title, expr, grouped]).toEqual([title, expr, expect.arrayContaining(printed)]);
  }
});

test("the board shows what the dashboard shows", () => {
  const shown = new Set(queries.flatMap(([, expr]) => namesIn(expr, "").metrics));
  const pools = ["berth_pool_size", "berth_pool_target_size", "berth_pool_hit_ratio", "berth_pool_obstructed"];
  const functions = ["berth_invocations_total", "berth_invocation_seconds", "berth_start_phase_seconds", "berth_queue_depth"];
  expect([...shown]).toEqual(expect.arrayContaining([...pools, ...functions, "berth_instance_starts_total", "berth_action_failures_total"]));
});

test("panels have ids of their own, and none covers another", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`));
  expect(new Set(cells).size).toBe(cells.length);
});
