import { memo } from "preact/compat";
import { useRef, useState } from "preact/hooks";
import { formatAge } from "../data/format.ts";
import { lookOf } from "../data/state.ts";
import { useClock } from "../data/store.ts";
import type { InstanceRow } from "../data/types.ts";

/** Up to so many instances are drawn with their text. */
const MOST_TILES = 60;

interface MapProps {
  name: string;
  rows: readonly InstanceRow[];
  selected: string | null;
  select: (id: string) => void;
}

/** One cell for each instance, in a place that it keeps while it lives. Arrow keys move, and the cell that has the focus is shown in full. */
export function PoolMap({ name, rows, selected, select }: MapProps) {
  const grid = useRef<HTMLFieldSetElement>(null);
  const [active, setActive] = useState<string | null>(null);
  const isTiled = rows.length <= MOST_TILES;
  const current = rows.some(({ id }) => id === active) ? active : rows[0]?.id;
  const choose = (id: string) => {
    setActive(id);
    select(id);
  };
  const moved = (event: KeyboardEvent) => {
    const cells = [...(grid.current?.children ?? [])] as HTMLElement[];
    const at = cells.indexOf(document.activeElement as HTMLElement);
    const to = at < 0 ? -1 : at + stepOf(event.key, cells, at);
    if (to === at || !cells[to]) return;
    event.preventDefault();
    cells[to]?.focus();
  };
  return (
    <fieldset ref={grid} class={isTiled ? "map tiles" : "map cells"} aria-label={`Instances of pool ${name}; arrow keys move`} onKeyDown={moved}>
      {isTiled ? <Tiles {...{ rows, selected, current, choose }} /> : <Cells {...{ rows, selected, current, choose }} />}
    </fieldset>
  );
}

/** How many cells an arrow key moves; up and down depend on how many there are in a line. */
function stepOf(key: string, cells: readonly HTMLElement[], at: number): number {
  if (key === "ArrowRight") return 1;
  if (key === "ArrowLeft") return -1;
  if (key === "Home") return -at;
  if (key === "End") return cells.length - 1 - at;
  const top = cells[0]?.offsetTop;
  const second = cells.findIndex((cell) => cell.offsetTop !== top);
  const line = Math.max(second, 0);
  if (key === "ArrowDown") return line;
  return key === "ArrowUp" ? -line : 0;
}

interface CellsProps {
  rows: readonly InstanceRow[];
  selected: string | null;
  current: string | null | undefined;
  choose: (id: string) => void;
}

function Cells({ rows, selected, current, choose }: CellsProps) {
  const kept = useRef(choose);
  kept.current = choose;
  const stable = useRef((id: string) => kept.current(id));
  return (
    <>
      {rows.map((row) => (
        <Cell key={row.id} row={row} isSelected={row.id === selected} isCurrent={row.id === current} choose={stable.current} />
      ))}
    </>
  );
}

/** Drawn again only when its row is another one. */
const Cell = memo(function Cell({
  row,
  isSelected,
  isCurrent,
  choose,
}: {
  row: InstanceRow;
  isSelected: boolean;
  isCurrent: boolean;
  choose: (id: string) => void;
}) {
  const words = wordsOf(row);
  return (
    <button
      type="button"
      class={`cell ${lookOf(row)}`}
      tabIndex={isCurrent ? 0 : -1}
      aria-pressed={isSelected}
      aria-label={words}
      title={words}
      onFocus={() => choose(row.id)}
      onClick={() => choose(row.id)}
    />
  );
});

function Tiles({ rows, selected, current, choose }: CellsProps) {
  const now = useClock();
  return (
    <>
      {rows.map((row) => (
        <button
          key={row.id}
          type="button"
          class={`tile ${lookOf(row)}`}
          tabIndex={row.id === current ? 0 : -1}
          aria-pressed={row.id === selected}
          title={wordsOf(row)}
          onFocus={() => choose(row.id)}
          onClick={() => choose(row.id)}
        >
          <b>{row.function ?? "free"}</b>
          <span>
            {lookOf(row)}
            {row.inFlight > 0 && ` ${row.inFlight}`} · {formatAge(now - row.createdMs)}
            {row.node !== null && ` · ${row.node}`}
          </span>
        </button>
      ))}
    </>
  );
}

function wordsOf(row: InstanceRow): string {
  const what = row.function === null ? "free" : `${row.function}@${row.revision ?? "?"}`;
  return [what, lookOf(row), row.node, row.id].filter((word) => word !== null).join(" · ");
}
