/** Something about the stored resources that somebody should know. */
export interface StoreNotice {
  /**
   * Resources are missing, or there again; a definition drops fields; the API server's history went backwards; a write
   * fails; what is stored cannot be read; somebody has changed what only Berth writes.
   */
  topic: "missing" | "restored" | "dropped" | "history" | "failing" | "damaged" | "edited";
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

export function damagedSecrets(names: readonly string[]): string {
  if (names.length === 0) return "all kept values of functions' secrets can be read again";
  return `${names.join(", ")}: somebody has damaged the kept values of secrets; where they are not known any more, deploy the function again with them`;
}

export function damagedRecords(names: readonly string[]): string {
  return `${names.join(", ")}: the status holds only a part of the function's record; it is taken in as its spec declares`;
}

export function edited(name: string, fields: readonly string[]): string {
  return `the status of ${name} says something else than Berth has written (${fields.join(", ")}): it is written again; what a function is its spec declares`;
}
