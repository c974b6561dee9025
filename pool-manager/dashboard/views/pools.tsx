import { useState } from "preact/hooks";
import { formatCount, formatMs, formatPercent, formatRate } from "../data/format.ts";
import { useStore } from "../data/store.ts";
import { Inspector } from "./inspector.tsx";
import { PoolSection } from "./pool.tsx";

/** Every pool with its instances, and what they do together. */
export function PoolsView() {
  const pools = useStore((state) => state.pools);
  const [selected, setSelected] = useState<string | null>(null);
  // Pools that are not used and have no instances come last, in one line each.
  const sorted = [...pools.values()].sort((a, b) => Number(b.used) - Number(a.used));
  return (
    <div class="pools">
      <Totals />
      <div class="split">
        <div>
          {sorted.map((pool) => (
            <PoolSection key={pool.id} pool={pool} selected={selected} select={setSelected} />
          ))}
        </div>
        <Inspector id={selected} close={() => setSelected(null)} />
      </div>
    </div>
  );
}

function Totals() {
  const functions = useStore((state) => state.functions);
  const all = useStore((state) => state.status?.functions ?? 0);
  const instances = useStore((state) => state.instances.size);
  const rows = [...functions.values()];
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
  const starts = { warm: sum((row) => row.statistics?.starts.warm ?? 0), all: sum((row) => row.statistics?.invocations ?? 0) };
  const prewarmed = sum((row) => row.statistics?.starts.prewarmed ?? 0);
  const cold = sum((row) => row.statistics?.starts.cold ?? 0);
  const failed = sum((row) => row.statistics?.failed ?? 0);
  const waiting = sum((row) => row.waiting);
  const slowest = Math.max(...rows.map((row) => row.statistics?.phases.total?.p99 ?? 0), 0);
  return (
    <dl class="totals">
      <Figure name="Invocations" value={formatRate(sum((row) => row.statistics?.rate ?? 0))} unit="/s" />
      <Figure name="Running" value={formatCount(sum((row) => row.inFlight))} />
      <Figure name="Waiting" value={formatCount(waiting)} tone={waiting > 0 ? "warn" : undefined} />
      <Figure name="Prewarmed" value={formatCount(prewarmed)} hint="Invocations in five minutes whose instance was prewarmed" />
      <Figure name="Cold" value={formatCount(cold)} tone={cold > 0 ? "warn" : undefined} hint="Invocations in five minutes whose instance had to be created" />
      <Figure name="Failed" value={formatPercent(failed, starts.all)} tone={failed > 0 ? "bad" : undefined} hint="Of the invocations in five minutes" />
      <Figure name="Slowest p99" value={slowest === 0 ? "–" : formatMs(slowest)} hint="Highest p99 of a function in five minutes" />
      <Figure name="Functions" value={formatCount(all)} />
      <Figure name="Instances" value={formatCount(instances)} />
    </dl>
  );
}

function Figure({ name, value, unit, tone, hint }: { name: string; value: string; unit?: string; tone?: "warn" | "bad" | undefined; hint?: string }) {
  return (
    <div class={tone} title={hint}>
      <dt>{name}</dt>
      <dd>
        {value}
        {unit && <small>{unit}</small>}
      </dd>
    </div>
  );
}
