import { useMemo, useState } from "preact/hooks";
import { call } from "../data/api.ts";
import { plural } from "../data/format.ts";
import { countLooks, instancesOf, LOOKS } from "../data/state.ts";
import { useStore } from "../data/store.ts";
import type { PoolRow } from "../data/types.ts";
import { useAction } from "../parts/action.ts";
import { ErrorNote } from "../parts/error-note.tsx";
import { Advice } from "./advice.tsx";
import { PoolMap } from "./pool-map.tsx";

/** A pool: its size, which can be changed, what is in its way, and its instances. */
export function PoolSection({ pool, selected, select }: { pool: PoolRow; selected: string | null; select: (id: string) => void }) {
  const instances = useStore((state) => state.instances);
  const rows = useMemo(() => instancesOf(instances, pool.id), [instances, pool.id]);
  const counts = useMemo(() => countLooks(rows), [rows]);
  const [isAdvised, setAdvised] = useState(false);
  return (
    <section class="card pool" aria-label={`Pool ${pool.id}`}>
      <header>
        <h2>{pool.id}</h2>
        <span class="quiet">
          {plural(rows.length, "instance")} of at most {pool.max}
          {pool.paused && <b class="tag warn">paused</b>}
          {!pool.used && " · empty, since no function uses it"}
          {pool.scheduled && ` · ${pool.scheduled.instances} by ${pool.scheduled.text}`}
        </span>
        <button type="button" class="advise" aria-expanded={isAdvised} onClick={() => setAdvised(!isAdvised)}>
          Advice
        </button>
        <SizeControl pool={pool} />
      </header>
      {isAdvised && <Advice pool={pool} />}
      {[...(pool.doubt ? [pool.doubt] : []), ...pool.problems].map((problem) => (
        <p key={problem} class="problem">
          {problem}
        </p>
      ))}
      {rows.length > 0 && (
        <ul class="legend">
          {LOOKS.filter((look) => counts.has(look)).map((look) => (
            <li key={look}>
              <i class={`cell ${look}`} aria-hidden="true" /> {look} <b>{counts.get(look)}</b>
            </li>
          ))}
        </ul>
      )}
      {rows.length === 0 ? (
        pool.used && <p class="empty">{pool.size === 0 ? "This pool keeps no instances: they are created when a function needs one." : "No instances yet."}</p>
      ) : (
        <PoolMap name={pool.id} rows={rows} selected={selected} select={select} />
      )}
    </section>
  );
}

/** The size in force. A pool that chooses its own has no buttons that would end that by the way: it says so first. */
function SizeControl({ pool }: { pool: PoolRow }) {
  const [draft, setDraft] = useState<string | null>(null);
  const { isRunning, error, run } = useAction();
  const size = pool.ownSize ?? pool.size;
  const set = (wanted: number) => run(() => call("PATCH", `/v1/pools/${encodeURIComponent(pool.id)}`, { size: wanted }).then(() => setDraft(null)));
  const submit = (event: Event) => {
    event.preventDefault();
    if (draft !== null && draft !== "") void set(Number(draft));
  };
  if (pool.auto) {
    return (
      <div class="size">
        <span>
          Sizes itself, now <b>{pool.size}</b>
        </span>
        <button type="button" disabled={isRunning} onClick={() => void set(pool.size)}>
          Keep at {pool.size}
        </button>
        <ErrorNote error={error} />
      </div>
    );
  }
  return (
    <form class="size" onSubmit={submit}>
      <label>
        <span>Keep free</span>
        <button type="button" disabled={isRunning || size === 0} onClick={() => void set(size - 1)} aria-label={`One less in pool ${pool.id}`}>
          −
        </button>
        <input
          type="number"
          min={0}
          max={10_000}
          step={1}
          value={draft ?? size}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onBlur={() => draft === String(size) && setDraft(null)}
          aria-label={`Size of pool ${pool.id}`}
        />
        <button type="button" disabled={isRunning} onClick={() => void set(size + 1)} aria-label={`One more in pool ${pool.id}`}>
          +
        </button>
      </label>
      {draft !== null && draft !== String(size) && (
        <>
          <button type="submit" class="primary" disabled={isRunning || draft === ""}>
            Set
          </button>
          <button type="button" onClick={() => setDraft(null)}>
            Cancel
          </button>
        </>
      )}
      <ErrorNote error={error} />
    </form>
  );
}
