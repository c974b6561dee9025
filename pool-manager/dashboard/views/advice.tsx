import { useState } from "preact/hooks";
import { call } from "../data/api.ts";
import { formatPercent, plural } from "../data/format.ts";
import type { PoolAdviceAnswer, PoolAnswer, PoolRow } from "../data/types.ts";
import { usePoll } from "../data/use-poll.ts";
import { useAction } from "../parts/action.ts";
import { drawnSizes } from "../parts/drawn-sizes.ts";
import { ErrorNote } from "../parts/error-note.tsx";
import { WhatIf } from "../parts/what-if.tsx";

const EVERY_MS = 10_000;
const MOST_FUNCTIONS = 5;

/** Hits and cost of other sizes of a pool, the recommended size, and why the pool has the size that it chose. */
export function Advice({ pool }: { pool: PoolRow }) {
  const [span, setSpan] = useState<"1h" | "24h">("1h");
  const path = `/v1/pools/${encodeURIComponent(pool.id)}`;
  const mark = `${pool.size} ${pool.max} ${pool.auto ? "auto" : ""}`;
  const advice = usePoll<PoolAdviceAnswer>(`${path}/advice?window=${span}`, EVERY_MS, mark);
  const sizing = usePoll<Pick<PoolAnswer, "sizing">>(path, EVERY_MS, mark);
  const { isRunning, error, run } = useAction();
  const set = (size: number | "auto") => run(() => call("PATCH", path, { size }));
  const { data } = advice;
  return (
    <section class="advice" aria-label={`Advice for pool ${pool.id}`}>
      <div class="choice">
        {(["1h", "24h"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
            {one === "1h" ? "Last hour" : "Last day"}
          </button>
        ))}
      </div>
      <ErrorNote error={advice.error ?? error} />
      {sizing.data?.sizing && <p class="chosen">{`Chosen: ${pool.size}, since ${sizing.data.sizing.reason}.`}</p>}
      {data && (
        <>
          {data.text.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
          {data.claims > 0 && (
            <WhatIf
              sizes={drawnSizes(data.sizes, Math.max(pool.size, data.recommended))}
              label="Share of the claims that would have found a free instance, and what it would have kept, by size"
            />
          )}
          {data.functions.length > 0 && (
            <ul class="claimants" aria-label="Functions by claims">
              {data.functions.slice(0, MOST_FUNCTIONS).map(({ name, claims, misses, share }) => (
                <li key={name}>
                  <span>{name}</span>
                  <progress max={1} value={share} aria-label={`Share of ${name}`} />
                  <span class="quiet">
                    {plural(claims, "claim")}, {formatPercent(misses, claims)} missed
                  </span>
                </li>
              ))}
            </ul>
          )}
          <div class="choice">
            {data.claims > 0 && (pool.auto || data.recommended !== pool.size) && (
              <button type="button" disabled={isRunning} onClick={() => void set(data.recommended)}>
                Keep {data.recommended} free
              </button>
            )}
            {!pool.auto && (
              <button type="button" disabled={isRunning} onClick={() => void set("auto")}>
                Let the pool size itself
              </button>
            )}
          </div>
        </>
      )}
    </section>
  );
}
