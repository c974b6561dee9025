/** The known name that a mistyped one most likely means: one that begins with it, or the one with the smallest edit distance; undefined if none is close. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const given = plain(typed);
  if (given === "") return undefined;
  const starting = known.find((name) => plain(name) === given) ?? (given.length > 2 ? known.find((name) => plain(name).startsWith(given)) : undefined);
  if (starting) return starting;
  const byDistance = known.map((name) => ({ name, changes: changes(given.slice(0, 64), plain(name)) })).sort((a, b) => a.changes - b.changes);
  const [best] = byDistance;
  return best && best.changes <= 3 && best.changes < 0.5 * Math.max(given.length, best.name.length) ? best.name : undefined;
}

/** Maps variants such as `max-scale` and `MaxScale` to the same text. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, "");
}

/** Edit distance: insertions, deletions, replacements and swaps of neighbours (Damerau-Levenshtein, optimal string alignment). */
function changes(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const least = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (same ? 0 : 1));
      next.push(swapped ? Math.min(least, (before[j - 2] as number) + 1) : least);
    }
    before = row;
    row = next;
  }
  return row[to.length] as number;
}
