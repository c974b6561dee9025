/** A notice to operators about stored resources. */
export interface StoreNotice {
  /**
   * Resources are missing, or restored; a definition drops fields; the API server's history went backwards; a write fails;
   * stored data cannot be read; others have edited what only Berth writes.
   */
  topic: "missing" | "restored" | "dropped" | "history" | "failing" | "damaged" | "edited";
  kind: "Function" | "Pool";
  /** How many functions, pools or fields are affected; 0: it is over. */
  count: number;
  message: string;
}

export function missing(what: string, count: number, why: string): string {
  if (count === 0) return `all ${what} have their resources again`;
  return `${why}: ${count} ${what} continue without a resource, which is rewritten as soon as possible`;
}

export function dropped(kind: string, fields: readonly string[]): string {
  if (fields.length === 0) return `the definition of ${kind} keeps all fields of a status again`;
  return `the definition of ${kind} is of another version and drops ${fields.join(", ")} of what is written: kubectl apply --server-side -f deploy/chart/crds`;
}

export function damagedSecrets(names: readonly string[]): string {
  if (names.length === 0) return "all kept values of functions' secrets can be read again";
  return `${names.join(", ")}: the kept values of secrets are damaged; if Berth no longer knows them, deploy the function again with them`;
}

export function damagedRecords(names: readonly string[]): string {
  return `${names.join(", ")}: the status holds only a part of the function's record; the function is restored from its spec`;
}

export function edited(name: string, fields: readonly string[]): string {
  return `the status of ${name} differs from what Berth has written (${fields.join(", ")}): it is rewritten; change the spec instead`;
}

/** A notice that a part of the functions' upkeep fails, and why; `message` null: it works again. */
export function failing(what: string, message: string | null): StoreNotice {
  return { topic: "failing", kind: "Function", count: message ? 1 : 0, message: `${what}: ${message ?? "no longer so"}` };
}
