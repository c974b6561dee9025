import type { ManageClient } from "../cli/manage-client.ts";
import { latencies, openLoop } from "./driver.ts";
import { type Scenario, scenarioOf } from "./report/scenario.ts";

export interface FunctionBench {
  starts: number;
  rate: number;
  seconds: number;
  data: string | undefined;
}

/** Starts per second: low enough for the pool to refill in between. */
const START_RATE = 2;

/**
 * Measures a deployed function: `starts` new functions with its code, settings and environment (without its secrets), one
 * invocation each; then warm invocations at a rate.
 */
export async function benchFunction(api: ManageClient, router: string, name: string, wanted: FunctionBench): Promise<Scenario[]> {
  const copies = await copiesOf(api, name, wanted.starts);
  const byKind = new Map([
    ["prewarmed", latencies()],
    ["cold", latencies()],
  ]);
  let errors = 0;
  const shot = (target: string) => ({ url: `${router}/function/${target}`, body: wanted.data });
  try {
    await openLoop({
      rate: START_RATE,
      count: copies.length,
      shot: (i) => shot(copies[i] as string),
      onOutcome: ({ headers, firstByteMs, error }) => {
        if (error) errors += 1;
        else byKind.get(String(headers["x-berth-start"]))?.recordValue(Math.round(firstByteMs * 1000));
      },
    });
  } finally {
    for (const copy of copies) await api.call("DELETE", `/v1/functions/${copy}`);
  }
  const scenarios = [...byKind].map(([kind, times]) => scenarioOf(kind, times.totalCount, 0, times));
  return [...scenarios.filter((s) => s.n > 0), ...(errors > 0 ? [{ name: "failed starts", n: errors, errors }] : []), await warm(shot(name), wanted)];
}

async function warm(shot: { url: string; body: string | undefined }, { rate, seconds }: FunctionBench): Promise<Scenario> {
  const count = Math.ceil(rate * seconds);
  let errors = 0;
  await openLoop({ rate: 10, count: 3, shot: () => shot });
  const times = await openLoop({
    rate,
    count,
    shot: () => shot,
    onOutcome: ({ error }) => {
      if (error) errors += 1;
    },
  });
  return scenarioOf("warm", count, errors, times);
}

async function copiesOf(api: ManageClient, name: string, count: number): Promise<string[]> {
  const path = `/v1/functions/${encodeURIComponent(name)}`;
  const original = await api.get<Record<string, unknown>>(path);
  const { items } = await api.get<{ items: { active: boolean; code: string }[] }>(`${path}/revisions`);
  const code = items.find((revision) => revision.active)?.code;
  const { runtime, handler, signature, env, timeout, loadTimeout, concurrency } = original;
  const manifest = { runtime, env, timeout, loadTimeout, concurrency, code, ...(handler ? { handler } : {}), ...(signature ? { signature } : {}) };
  const names = Array.from({ length: count }, (_, i) => `bench-${Date.now().toString(36)}-${i}`);
  for (const copy of names) await api.call("PUT", `/v1/functions/${copy}`, manifest);
  return names;
}
