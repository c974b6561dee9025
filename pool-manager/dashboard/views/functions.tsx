import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { formatCount, formatMs, formatRate } from "../data/format.ts";
import { linkTo } from "../data/route.ts";
import { useStore } from "../data/store.ts";
import type { FunctionRow } from "../data/types.ts";
import { Sparkline } from "../parts/sparkline.tsx";
import { StartsBar } from "../parts/starts.tsx";
import { DeployPanel } from "./deploy.tsx";

const MOST_ROWS = 200;
const COLUMNS = {
  name: { label: "Function", of: (row: FunctionRow) => row.id },
  rate: { label: "Per second", of: (row: FunctionRow) => -(row.statistics?.rate ?? -1) },
  p50: { label: "p50", of: (row: FunctionRow) => -(row.statistics?.phases.total?.p50 ?? -1) },
  p99: { label: "p99", of: (row: FunctionRow) => -(row.statistics?.phases.total?.p99 ?? -1) },
  waiting: { label: "Queue", of: (row: FunctionRow) => -row.waiting },
  instances: { label: "Instances", of: (row: FunctionRow) => -(row.warm + row.starting) },
} as const;
type Column = keyof typeof COLUMNS;

/** The functions, and the form that deploys one. */
export function FunctionsView() {
  const all = useStore((state) => state.status?.functions ?? 0);
  const [isDeploying, setDeploying] = useState(all === 0);
  const button = (
    <button type="button" aria-expanded={isDeploying} onClick={() => setDeploying(!isDeploying)}>
      {isDeploying ? "Close the form" : "Deploy a function"}
    </button>
  );
  return (
    <>
      {isDeploying && <DeployPanel />}
      {all > 0 ? (
        <FunctionsTable all={all} button={button} />
      ) : (
        <p class="empty">
          No function is deployed. <code>berth init hello && berth deploy hello --from hello</code> deploys a first one, as does this form.{" "}
          {!isDeploying && button}
        </p>
      )}
    </>
  );
}

/** Every function with what its invocations of the last five minutes came to. */
function FunctionsTable({ all, button }: { all: number; button: ComponentChildren }) {
  const functions = useStore((state) => state.functions);
  const [filter, setFilter] = useState("");
  const [column, setColumn] = useState<Column>("rate");
  const rows = useMemo(() => sorted([...functions.values()], column, filter), [functions, column, filter]);
  return (
    <section class="card">
      <header>
        <h2>Functions</h2>
        <input type="search" placeholder="Filter  /" aria-label="Filter functions" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="quiet">
          {formatCount(rows.length)} of {formatCount(all)} · latencies of five minutes
        </span>
        {button}
      </header>
      <table class="functions">
        <thead>
          <tr>
            <Sorted {...{ column, setColumn }} by="name" />
            <th>5 min</th>
            <Sorted {...{ column, setColumn }} by="rate" isNumber />
            <th>Starts</th>
            <Sorted {...{ column, setColumn }} by="p50" isNumber />
            <Sorted {...{ column, setColumn }} by="p99" isNumber />
            <Sorted {...{ column, setColumn }} by="waiting" isNumber />
            <Sorted {...{ column, setColumn }} by="instances" isNumber />
            <th>Revision</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row) => (
            <Row key={row.uid} row={row} />
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">No function has “{filter}” in its name.</p>}
      {rows.length > MOST_ROWS && <p class="quiet">The first {MOST_ROWS} are shown: filter for others.</p>}
      {functions.size < all && <p class="quiet">The list has {formatCount(functions.size)} functions, those in use first; #/functions/NAME opens any other.</p>}
    </section>
  );
}

function sorted(rows: FunctionRow[], column: Column, filter: string): FunctionRow[] {
  const wanted = filter.trim().toLowerCase();
  const { of } = COLUMNS[column];
  const key = (row: FunctionRow) => of(row);
  return rows
    .filter(({ id }) => id.includes(wanted))
    .sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      if (one !== other) return one < other ? -1 : 1;
      return a.id < b.id ? -1 : 1;
    });
}

function Sorted({ by, column, setColumn, isNumber = false }: { by: Column; column: Column; setColumn: (column: Column) => void; isNumber?: boolean }) {
  return (
    <th class={isNumber ? "num" : ""} aria-sort={column === by ? (by === "name" ? "ascending" : "descending") : undefined}>
      <button type="button" class="plain" onClick={() => setColumn(by)}>
        {COLUMNS[by].label}
      </button>
    </th>
  );
}

function Row({ row }: { row: FunctionRow }) {
  const { statistics } = row;
  return (
    <tr>
      <th>
        <a href={linkTo(row.id)}>{row.id}</a>
        {row.problems.length > 0 && (
          <span class="tag bad" title={row.problems.join("\n")}>
            {row.problems.length === 1 ? "problem" : `${row.problems.length} problems`}
          </span>
        )}
        {row.rolling && (
          <span class="tag">
            {row.rolling.state} {row.rolling.to}
          </span>
        )}
      </th>
      <td>{statistics && <Sparkline values={statistics.history} label={`Invocations of ${row.id} in five minutes`} />}</td>
      <td class="num">{statistics ? formatRate(statistics.rate) : <span class="quiet">–</span>}</td>
      <td>{statistics ? <StartsBar starts={statistics.starts} /> : <span class="quiet">–</span>}</td>
      <td class="num">{formatMs(statistics?.phases.total?.p50)}</td>
      <td class="num">{formatMs(statistics?.phases.total?.p99)}</td>
      <td class={row.waiting > 0 ? "num warn" : "num"}>{row.waiting}</td>
      <td class="num">
        {row.warm}
        {row.starting > 0 && <span class="quiet"> +{row.starting}</span>}
      </td>
      <td class="quiet">{row.revision}</td>
    </tr>
  );
}
