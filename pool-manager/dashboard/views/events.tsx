import { useState } from "preact/hooks";
import { detailOf, functionOf, isFailure, matches } from "../data/events.ts";
import { formatTime } from "../data/format.ts";
import { linkTo } from "../data/route.ts";
import { useStore } from "../data/store.ts";
import type { NumberedEvent } from "../data/types.ts";

const MOST_ROWS = 200;

/** The pools' events, newest first. */
export function EventsView() {
  const events = useStore((state) => state.events);
  const [filter, setFilter] = useState("");
  const [failuresOnly, setFailuresOnly] = useState(false);
  const shown = events.filter((event) => (!failuresOnly || isFailure(event)) && matches(event, filter));
  return (
    <section class="card">
      <header>
        <h2>Events</h2>
        <input type="search" placeholder="Filter  /" aria-label="Filter events" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <label class="check">
          <input type="checkbox" checked={failuresOnly} onChange={(event) => setFailuresOnly(event.currentTarget.checked)} /> failures only
        </label>
      </header>
      {shown.length === 0 ? (
        <p class="empty">{events.length === 0 ? "Nothing has happened yet." : "No event matches."}</p>
      ) : (
        <table class="events">
          <thead>
            <tr>
              <th>Time</th>
              <th>Event</th>
              <th>Function</th>
              <th>Pool</th>
              <th>What</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, MOST_ROWS).map((event) => (
              <Row key={event.seq} event={event} />
            ))}
          </tbody>
        </table>
      )}
      {shown.length > MOST_ROWS && <p class="quiet">The latest {MOST_ROWS} are shown.</p>}
    </section>
  );
}

function Row({ event }: { event: NumberedEvent }) {
  const name = functionOf(event);
  const detail = detailOf(event);
  const id = "instance" in event ? event.instance : "";
  return (
    <tr class={isFailure(event) ? "bad" : ""}>
      <td class="quiet mono" title={event.time}>
        {formatTime(event.time)}
      </td>
      <td>{event.type}</td>
      <td>{name !== null && <a href={linkTo(name)}>{name}</a>}</td>
      <td class="quiet">{"pool" in event ? event.pool : ""}</td>
      <td class="detail" title={id === "" ? undefined : `instance ${id}`}>
        {detail}
      </td>
    </tr>
  );
}
