/** Something about the stored resources that somebody should know. */
export interface StoreNotice {
  /** Resources are missing, or there again; a definition drops fields; the API server's history went backwards; a write fails. */
  topic: "missing" | "restored" | "dropped" | "history" | "failing";
  kind: "Function" | "Pool";
  /** How many it concerns. */
  count: number;
  message: string;
}

export function missing(what: string, count: number, why: string): string {
  if (count === 0) return `all ${what} have their resources again`;
  return `${why}: ${count} ${what} go on without a resource, which is written again as soon as that is possible`;
}

export function dropped(kind: string, fields: readonly string[]): string {
  if (fields.length === 0) return `the definition of ${kind} keeps all fields of a status again`;
  return `the definition of ${kind} is of another version and drops ${fields.join(", ")} of what is written: kubectl apply --server-side -f deploy/chart/crds`;
}
