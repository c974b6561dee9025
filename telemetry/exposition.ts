import Negotiator from "negotiator";
import { Registry } from "prom-client";

/** In the order of preference: OpenMetrics has exemplars, and is sent to scrapers that prefer it. */
const TYPES = { "text/plain": Registry.PROMETHEUS_CONTENT_TYPE, "application/openmetrics-text": Registry.OPENMETRICS_CONTENT_TYPE } as const;

/** Parameters that do not matter for the choice: what is sent has a form that all versions read. */
const PARAMETERS = /;\s*(?:version|escaping|charset)=[^;,]*/gi;

/** Prints the registries in the form that the scraper's `Accept` asks for: Prometheus' text, or OpenMetrics. */
export async function expose(registries: readonly Registry[], accept: string | undefined): Promise<{ type: string; text: string }> {
  const headers = { accept: accept?.replace(PARAMETERS, "") };
  const chosen = new Negotiator({ headers }).mediaType(Object.keys(TYPES)) as keyof typeof TYPES | undefined;
  const shown = new Registry();
  shown.setContentType(TYPES[chosen ?? "text/plain"] as typeof shown.contentType);
  for (const metric of registries.flatMap((registry) => registry.getMetricsAsArray())) {
    // prom-client renames counters as it prints OpenMetrics: it gets another object, whose fields are otherwise the metric's.
    shown.registerMetric(Object.create(metric));
  }
  return { type: shown.contentType, text: await shown.metrics() };
}
