import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ManagerMetrics } from "../../../pool-manager/metrics.ts";
import { RouterMetrics } from "../../../router/metrics.ts";

interface Board {
  panels: { title: string; targets: { expr: string }[] }[];
}

test("the Grafana board asks for metrics that exist, by labels that they have", async () => {
  const board = JSON.parse(readFileSync("deploy/chart/dashboards/berth.json", "utf8")) as Board;
  const metrics = [...(await new ManagerMetrics().registry.getMetricsAsJSON()), ...(await new RouterMetrics().registry.getMetricsAsJSON())];
  const labels = new Map(
    [new ManagerMetrics(), new RouterMetrics()].flatMap(({ registry }) =>
      metrics.map(({ name }) => [name, labelsOf(registry, name)] as const).filter(([, own]) => own),
    ),
  );
  for (const { title, targets } of board.panels) {
    for (const { expr } of targets) {
      const [name = ""] = /berth_[a-z_]+/.exec(expr)?.map((found) => found.replace(/_bucket$/, "")) ?? [];
      expect([title, name, labels.has(name)]).toEqual([title, name, true]);
      const [, by = ""] = /by \(([^)]*)\)/.exec(expr) ?? [];
      const named = by
        .split(",")
        .map((label) => label.trim())
        .filter((label) => label && label !== "le");
      for (const label of named) expect([title, labels.get(name)]).toEqual([title, expect.arrayContaining([label])]);
    }
  }
});

/** prom-client keeps a metric's label names; undefined: the registry has no such metric. */
function labelsOf(registry: ManagerMetrics["registry"], name: string): string[] | undefined {
  const metric = registry.getSingleMetric(name) as unknown as { labelNames?: string[] } | undefined;
  return metric && (metric.labelNames ?? []);
}
