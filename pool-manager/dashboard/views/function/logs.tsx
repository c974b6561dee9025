import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../../data/api.ts";
import { functionPath } from "../../data/api.ts";
import { formatTime } from "../../data/format.ts";
import type { LogLineAnswer } from "../../data/types.ts";
import { ErrorNote } from "../../parts/error-note.tsx";
import { follow } from "../../streams/follow.ts";

const MOST_LINES = 1000;
/** The stream has a sign of life each 15 seconds. */
const SILENT_MS = 40_000;

type Numbered = LogLineAnswer & { id: number };

/** The function's output as it comes, the last thousand lines. */
export function LogsPanel({ name }: { name: string }) {
  const { lines, error } = useLogs(name);
  const [filter, setFilter] = useState("");
  const [isFollowing, setFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const wanted = filter.trim().toLowerCase();
  const shown = wanted === "" ? lines : lines.filter(({ message, callId }) => message.toLowerCase().includes(wanted) || callId === filter.trim());
  useEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement;
    setFollowing(scrollHeight - scrollTop - clientHeight < 24);
  };
  return (
    <section class="card logs">
      <header>
        <h2>Logs</h2>
        <input
          type="search"
          placeholder="Filter, or a call id  /"
          aria-label="Filter logs"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="quiet">{isFollowing ? "following" : "paused: scroll to the end to follow"}</span>
      </header>
      <ErrorNote error={error} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reached by the keyboard */}
      <div ref={box} class="lines mono" onScroll={scrolled} tabIndex={0} role="log" aria-label={`Output of ${name}`}>
        {shown.length === 0 && <p class="empty">{lines.length === 0 ? "No output yet." : "No line matches."}</p>}
        {shown.map((line) => (
          <Line key={line.id} line={line} search={setFilter} />
        ))}
      </div>
    </section>
  );
}

function Line({ line, search }: { line: LogLineAnswer; search: (text: string) => void }) {
  const { time, stream, callId, message, instance } = line;
  return (
    <div class={stream === "err" ? "line err" : "line"} title={`instance ${instance}`}>
      <time title={time}>{formatTime(time)}</time>
      {callId === null ? (
        <span class="call" />
      ) : (
        <button type="button" class="call plain" title={`Only lines of ${callId}`} onClick={() => search(callId)}>
          {callId.slice(0, 8)}
        </button>
      )}
      <span class="message">{message}</span>
    </div>
  );
}

/** Lines are drawn once per frame, however many come. */
function useLogs(name: string): { lines: readonly Numbered[]; error: ApiError | null } {
  const [lines, setLines] = useState<readonly Numbered[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let id = 0;
    let frame = 0;
    let kept: Numbered[] = [];
    const draw = () => {
      frame = 0;
      setLines(kept);
      setError(null);
    };
    const end = follow(`${functionPath(name, "/logs")}?follow=true&tail=300`, SILENT_MS, {
      message: (data, isFirst) => {
        // A new connection begins with the latest lines again.
        kept = [...(isFirst ? [] : kept), { ...(data as LogLineAnswer), id: ++id }].slice(-MOST_LINES);
        if (frame === 0) frame = requestAnimationFrame(draw);
      },
      lost: (lost) => {
        setError(lost.status === 0 ? null : lost);
        return lost.status === 0 || lost.status >= 429;
      },
    });
    return () => {
      end();
      cancelAnimationFrame(frame);
    };
  }, [name]);
  return { lines, error };
}
