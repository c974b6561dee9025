/** The changes of a list of rows. */
export interface Changes<Row> {
  set: Row[];
  gone: string[];
}

/** Rows as they were last told, so that only what differs is told again. */
export class TrackedRows<Row extends { id: string }> {
  readonly #told = new Map<string, { row: Row; text: string }>();

  get rows(): Row[] {
    return [...this.#told.values()].map(({ row }) => row);
  }

  /** Null if nothing has changed. */
  update(rows: readonly Row[]): Changes<Row> | null {
    const set: Row[] = [];
    const ids = new Set<string>();
    for (const row of rows) {
      ids.add(row.id);
      const text = JSON.stringify(row);
      if (this.#told.get(row.id)?.text === text) continue;
      this.#told.set(row.id, { row, text });
      set.push(row);
    }
    const gone = [...this.#told.keys()].filter((id) => !ids.has(id));
    for (const id of gone) this.#told.delete(id);
    return set.length > 0 || gone.length > 0 ? { set, gone } : null;
  }
}
