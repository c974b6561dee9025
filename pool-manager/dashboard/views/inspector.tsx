import { formatAge } from "../data/format.ts";
import { linkTo } from "../data/route.ts";
import { lookOf } from "../data/state.ts";
import { useClock, useStore } from "../data/store.ts";
import type { InstanceRow } from "../data/types.ts";

/** One instance in full. */
export function Inspector({ id, close }: { id: string | null; close: () => void }) {
  const row = useStore((state) => (id === null ? undefined : state.instances.get(id)));
  if (id === null) return null;
  return (
    <aside class="card inspector" aria-label="Instance">
      <header>
        <h2>Instance</h2>
        <button type="button" class="plain" onClick={close} aria-label="Close">
          ×
        </button>
      </header>
      {row ? <Fields row={row} /> : <p class="quiet">{id} is gone.</p>}
    </aside>
  );
}

function Fields({ row }: { row: InstanceRow }) {
  const now = useClock();
  const look = lookOf(row);
  return (
    <dl class="fields">
      <dt>State</dt>
      <dd>
        <i class={`cell ${look}`} aria-hidden="true" /> {look}
      </dd>
      <dt>Function</dt>
      <dd>{row.function === null ? <span class="quiet">none: it is free</span> : <a href={linkTo(row.function)}>{row.function}</a>}</dd>
      <dt>Revision</dt>
      <dd>{row.revision ?? "–"}</dd>
      <dt>In flight</dt>
      <dd>{row.inFlight}</dd>
      <dt>Age</dt>
      <dd>{formatAge(now - row.createdMs)}</dd>
      <dt>Loads</dt>
      <dd>{row.epoch}</dd>
      <dt>Node</dt>
      <dd>{row.node ?? "this machine"}</dd>
      <dt>Address</dt>
      <dd>{row.address ?? "–"}</dd>
      <dt>Id</dt>
      <dd class="id">{row.id}</dd>
      {row.obstacle !== null && (
        <>
          <dt>Obstacle</dt>
          <dd class="bad">
            {row.obstacle}: {row.reason}
          </dd>
        </>
      )}
    </dl>
  );
}
