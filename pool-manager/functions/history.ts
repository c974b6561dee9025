import type { FunctionRecord, Revision } from "./function.ts";

/** Maximum number of entries of a history; the oldest are dropped first. */
const MAX_HISTORY = 50;

type Past = Pick<FunctionRecord, "active" | "history" | "revisions">;

/** The kept revision that was active before the current one. Each activation counts, so content that was redeployed may be in the history twice. */
export function rollbackTarget({ active, history, revisions }: Past): Revision | undefined {
  const before = history.findLast((id) => id !== active && revisions.some((revision) => revision.id === id));
  return revisions.find(({ id }) => id === before);
}

/** The history after a rollback to `target`, without what became active since: the next rollback goes further back. */
export function wentBack(history: readonly string[], target: string): string[] {
  const at = history.lastIndexOf(target);
  return at < 0 ? [...history] : history.slice(0, at + 1);
}

/** Records the activation if the active revision is not `before`. */
export function activated(record: FunctionRecord, before: string | undefined, now: string): FunctionRecord {
  const { active, history, revisions } = record;
  if (active === before) return record;
  return {
    ...record,
    history: (history.at(-1) === active ? history : [...history, active]).slice(-MAX_HISTORY),
    revisions: revisions.map((revision) => (revision.id === active ? { ...revision, activatedAt: now } : revision)),
  };
}

/** The history of a record without one, written by an older Berth: the revisions deployed before the active one, in order of their last activation. */
export function formerHistory({ active, revisions }: Pick<Past, "active" | "revisions">): string[] {
  const since = ({ activatedAt, createdAt }: Revision) => activatedAt ?? createdAt;
  const earlier = revisions.slice(
    0,
    revisions.findIndex(({ id }) => id === active),
  );
  const once = earlier.filter(({ activatedAt }) => activatedAt !== null).sort((a, b) => (since(a) < since(b) ? -1 : since(a) > since(b) ? 1 : 0));
  return [...once.map(({ id }) => id), active];
}
