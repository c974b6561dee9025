import { expect, test, vi } from "vitest";
import { RouterMetrics } from "../../../router/metrics.ts";

const FUNCTIONS = 1000;

/** Names of the functions that a metric has series of. */
async function named(metrics: RouterMetrics, name: string): Promise<Set<string>> {
  const text = await metrics.registry.getSingleMetricAsString(name);
  return new Set([...text.matchAll(/function="([^"]+)"/g)].map(([, fn]) => fn as string));
}

test("a deleted function's series end, and the series of others are not read, however many there are", async () => {
  const metrics = new RouterMetrics();
  for (let i = 0; i < FUNCTIONS; i++) {
    const fn = `f${i}`;
    for (const status of [200, 500]) metrics.done(fn, status, "warm", 1, 2);
    metrics.done(fn, 200, "cold", 1, 2);
    metrics.error(fn, "FUNCTION_CRASHED");
    metrics.queue(fn, 1);
  }
  const split = vi.spyOn(String.prototype, "split");
  metrics.forget("f7");
  const looks = split.mock.calls.length;
  split.mockRestore();
  expect(looks).toBeLessThan(10);
  for (const name of ["berth_invocations_total", "berth_invocation_errors_total", "berth_queue_depth"]) {
    const left = await named(metrics, name);
    expect([left.size, left.has("f7")]).toEqual([FUNCTIONS - 1, false]);
  }
  // It comes back under the same name, and counts from the beginning.
  metrics.done("f7", 200, "warm", 1, 2);
  expect(await metrics.registry.getSingleMetricAsString("berth_invocations_total")).toMatch(/\{function="f7",code="200",start="warm"\} 1$/m);
});
