import { activeRevision, type CodeRef, type FunctionRecord, servedRevisions } from "./function.ts";
import type { SizeClasses } from "./manifest/size-classes.ts";
import { codeOf } from "./revisions.ts";
import { isRolling } from "./rollout.ts";
import type { StoredFunction } from "./stored-function.ts";

/** The functions in memory, by name, uid and code. */
export class FunctionIndex {
  readonly #byName = new Map<string, StoredFunction>();
  readonly #byUid = new Map<string, StoredFunction>();
  /** By uid. They are asked for in each round of the reconciler, and most functions are not among them. */
  readonly #wanting = new Map<string, FunctionRecord>();
  readonly #classes: SizeClasses;
  /** Uids by pool. */
  readonly #users = new Map<string, Set<string>>();
  /** In order. */
  readonly #names: string[] = [];
  /** Null: something has changed since. */
  #list: readonly FunctionRecord[] | null = null;
  /** Uid of the function that had a layer last. */
  readonly #byLayer = new Map<string, string>();

  constructor(classes: SizeClasses) {
    this.#classes = classes;
  }

  get size(): number {
    return this.#byName.size;
  }

  byName(name: string): StoredFunction | undefined {
    return this.#byName.get(name);
  }

  byUid(uid: string): StoredFunction | undefined {
    return this.#byUid.get(uid);
  }

  /** Sorted by name. */
  list(): readonly FunctionRecord[] {
    this.#list ??= this.#names.flatMap((name) => this.#byName.get(name)?.record ?? []);
    return this.#list;
  }

  /** Functions that want instances although nobody invokes them: those kept warm, now or by a schedule, and those that roll out. */
  wanting(): FunctionRecord[] {
    return [...this.#wanting.values()];
  }

  /** Whether any function has a served revision whose instances are this pool's. */
  uses(pool: string): boolean {
    return (this.#users.get(pool)?.size ?? 0) > 0;
  }

  /** The pool that instances of a revision come from; without one, of the active revision. */
  poolOf(record: FunctionRecord, { settings } = activeRevision(record)): string {
    return this.#classes.poolOf(record.runtime, settings.resources);
  }

  /** Code that some revision has. */
  codeByDigest(layer: string): CodeRef | undefined {
    const holder = this.#byLayer.get(layer);
    if (holder === undefined) return undefined;
    const revisionOf = ({ revisions }: FunctionRecord) => revisions.find((revision) => revision.layer === layer);
    const last = this.#byUid.get(holder)?.record;
    // The last function that had it may be deleted or have newer revisions; another one may have it still.
    const kept = last && revisionOf(last) ? last : this.list().find(revisionOf);
    if (kept) this.#byLayer.set(layer, kept.uid);
    else this.#byLayer.delete(layer);
    const found = kept && revisionOf(kept);
    return found && codeOf(found);
  }

  set(stored: StoredFunction): void {
    const { name, uid, revisions, scaling, rollout, traffic } = stored.record;
    this.#leavePools(uid);
    for (const pool of this.#poolsOf(stored.record)) this.#users.set(pool, (this.#users.get(pool) ?? new Set()).add(uid));
    if (!this.#byName.has(name)) this.#names.splice(placeOf(name, this.#names), 0, name);
    this.#list = null;
    for (const { layer } of revisions) this.#byLayer.set(layer, uid);
    this.#byName.set(name, stored);
    this.#byUid.set(uid, stored);
    if (scaling.minScale > 0 || scaling.warm || traffic.minScales || isRolling(rollout)) this.#wanting.set(uid, stored.record);
    else this.#wanting.delete(uid);
  }

  delete({ name, uid }: FunctionRecord): void {
    this.#leavePools(uid);
    this.#byName.delete(name);
    this.#names.splice(placeOf(name, this.#names), 1);
    this.#list = null;
    this.#byUid.delete(uid);
    this.#wanting.delete(uid);
  }

  #leavePools(uid: string): void {
    const before = this.#byUid.get(uid)?.record;
    for (const pool of before ? this.#poolsOf(before) : []) this.#users.get(pool)?.delete(uid);
  }

  /** The pools of what can be invoked: a revision that only a rollback would serve keeps none filled. */
  #poolsOf(record: FunctionRecord): string[] {
    return servedRevisions(record).map((revision) => this.poolOf(record, revision));
  }
}

/** Index of a name in sorted names, or where it belongs. */
function placeOf(name: string, names: readonly string[]): number {
  let [from, to] = [0, names.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((names[middle] as string) < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
