import { useMemo } from "preact/hooks";
import { functionPath } from "../../data/api.ts";
import { formatCount, formatMs, formatPercent, formatRate } from "../../data/format.ts";
import { useStore } from "../../data/store.ts";
import type { Course, FunctionAnswer } from "../../data/types.ts";
import { usePoll } from "../../data/use-poll.ts";
import { Chart } from "../../parts/chart.tsx";
import { ErrorNote } from "../../parts/error-note.tsx";
import { PhaseTable } from "../../parts/phase-bars.tsx";
import { StartsBar } from "../../parts/starts.tsx";
import { InvokePanel } from "./invoke.tsx";
import { LogsPanel } from "./logs.tsx";
import { RevisionsPanel } from "./revisions.tsx";
import { ScalingPanel } from "./scaling.tsx";

/** One function: its course, its revisions, its output, and a form that invokes it. */
export function FunctionView({ name }: { name: string }) {
  const row = useStore((state) => state.functions.get(name));
  const mark = `${row?.uid} ${row?.revision} ${row?.latest} ${row?.rolling?.state}`;
  const { data, error } = usePoll<FunctionAnswer>(functionPath(name), 2000, mark);
  if (error?.code === "FUNCTION_NOT_FOUND") {
    return (
      <p class="empty">
        There is no function “{name}”. <a href="#/functions">All functions</a>
      </p>
    );
  }
  if (!data) return error ? <ErrorNote error={error} /> : <p class="empty">Loading…</p>;
  return (
    <div class="function">
      <header class="title">
        <a class="quiet" href="#/functions">
          Functions
        </a>
        <h1>{data.name}</h1>
        <span class="quiet">
          {data.runtime} · {data.revision}
          {data.url !== null && ` · ${data.url}`}
        </span>
      </header>
      {data.problems.map((problem) => (
        <p key={problem} class="problem">
          {problem}
        </p>
      ))}
      <Now name={name} detail={data} />
      <div class="columns">
        <div>
          <CourseCharts name={name} />
          <RevisionsPanel detail={data} mark={mark} />
        </div>
        <div>
          <section class="card">
            <header>
              <h2>Phases</h2>
              <span class="quiet">five minutes</span>
            </header>
            <PhaseTable phases={row?.statistics?.phases ?? {}} />
          </section>
          <ScalingPanel detail={data} />
          <InvokePanel detail={data} />
        </div>
      </div>
      <LogsPanel key={data.uid} name={name} />
    </div>
  );
}

function Now({ name, detail }: { name: string; detail: FunctionAnswer }) {
  const row = useStore((state) => state.functions.get(name));
  const statistics = row?.statistics ?? null;
  const waiting = row?.waiting ?? 0;
  return (
    <dl class="totals">
      <div>
        <dt>Invocations</dt>
        <dd>
          {formatRate(statistics?.rate ?? 0)}
          <small>/s</small>
        </dd>
      </div>
      <div class={waiting > 0 ? "warn" : ""} title={`At most ${detail.queueDepth}, each for ${detail.queueTimeout}`}>
        <dt>Queue</dt>
        <dd>
          {waiting}
          <small>of {detail.queueDepth}</small>
        </dd>
      </div>
      <div>
        <dt>Running</dt>
        <dd>{row?.inFlight ?? 0}</dd>
      </div>
      <div title={`At least ${detail.minScale}, at most ${detail.maxScale}; ${detail.concurrency} at a time each`}>
        <dt>Instances</dt>
        <dd>
          {row?.warm ?? 0}
          <small>of {formatCount(detail.maxScale)}</small>
        </dd>
      </div>
      <div>
        <dt>p50</dt>
        <dd>{formatMs(statistics?.phases.total?.p50)}</dd>
      </div>
      <div>
        <dt>p99</dt>
        <dd>{formatMs(statistics?.phases.total?.p99)}</dd>
      </div>
      <div class={(statistics?.failed ?? 0) > 0 ? "bad" : ""}>
        <dt>Failed</dt>
        <dd>{formatPercent(statistics?.failed ?? 0, statistics?.invocations ?? 0)}</dd>
      </div>
      <div class="wide">
        <dt>Starts</dt>
        <dd>{statistics ? <StartsBar starts={statistics.starts} /> : "–"}</dd>
      </div>
    </dl>
  );
}

function CourseCharts({ name }: { name: string }) {
  const { data } = usePoll<Course>(functionPath(name, "/statistics"), 2000);
  const course = useMemo(() => linesOf(data), [data]);
  return (
    <section class="card">
      <header>
        <h2>Course</h2>
        <span class="quiet">five minutes</span>
      </header>
      {course ? (
        <>
          <Chart title="Invocations per second" ago={course.ago} lines={course.rates} />
          <Chart title="Latency, logarithmic" ago={course.ago} lines={course.latencies} isLog />
        </>
      ) : (
        <p class="empty">Loading…</p>
      )}
    </section>
  );
}

function linesOf(course: Course | null) {
  if (!course) return null;
  const { points, slotSeconds } = course;
  const rate = (of: (point: (typeof points)[number]) => number) => points.map((point) => of(point) / slotSeconds);
  return {
    ago: points.map(({ agoS }) => Math.round(agoS)),
    rates: [
      { label: "warm", color: "--warm", values: rate(({ warm }) => warm), format: formatRate, isFilled: true },
      { label: "prewarmed", color: "--prewarmed-line", values: rate(({ prewarmed }) => prewarmed), format: formatRate },
      { label: "cold", color: "--cold", values: rate(({ cold }) => cold), format: formatRate },
      { label: "failed", color: "--bad", values: rate(({ failed }) => failed), format: formatRate },
    ],
    latencies: [
      { label: "p50", color: "--accent", values: points.map(({ p50 }) => p50), format: formatMs },
      { label: "p99", color: "--cold", values: points.map(({ p99 }) => p99), format: formatMs },
    ],
  };
}
