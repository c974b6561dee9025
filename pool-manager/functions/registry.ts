import { ManagerError } from "../errors.ts";
import {
  type CodeRef,
  type Declaration,
  type Former,
  type FunctionRecord,
  type FunctionStore,
  lostSecrets,
  MAX_REVISIONS,
  type Revision,
  type Secrets,
  servedRevisions,
  type Traffic,
} from "./function.ts";
import { activated, rollbackTarget, wentBack } from "./history.ts";
import type { InForce, Manifest } from "./manifest/manifest.ts";
import { refuseLost } from "./manifest/variables.ts";
import { type FunctionEnd, Retention } from "./retention.ts";
import {
  atOnce,
  baseRevision,
  checkServed,
  codeOf,
  declared,
  deployed,
  hashOf,
  identityOf,
  manifestOf,
  newFunction,
  newRevision,
  type Placed,
  type Placing,
  retained,
  scalingOf,
} from "./revisions.ts";
import { end, isRolling } from "./rollout.ts";

const MAX_FUNCTIONS = 10_000;
/** Why a rollout that a user has undone did not go on. */
const BY_HAND = "undone by hand";

/** Builds the code image of a revision; returns its digest. */
export type BuildImage = (name: string, revision: string, identity: string, layer: string) => Promise<string>;

export interface Deployed {
  record: FunctionRecord;
  /** False where the same content was deployed before. */
  newRevision: boolean;
}

export type TrafficChange = { active?: string | undefined } & Partial<Traffic>;

interface StoredFunction {
  record: FunctionRecord;
  secrets: Secrets;
  /** Number of the latest revision that was found of a function whose record was lost. */
  continues?: number;
}

/**
 * The functions and their revisions. Writes are serialised; memory changes only after the store has
 * accepted the write, so that what was acknowledged survives any crash.
 */
export class FunctionRegistry {
  readonly #store: FunctionStore;
  readonly #buildImage: BuildImage;
  readonly #changed: (uid: string, name: string) => void;
  readonly #byName = new Map<string, StoredFunction>();
  readonly #byUid = new Map<string, StoredFunction>();
  /** By uid: they are looked for again and again, and most functions are not among them. */
  readonly #wanting = new Map<string, FunctionRecord>();
  /** In order. */
  readonly #names: string[] = [];
  /** Null: something has changed since. */
  #list: readonly FunctionRecord[] | null = null;
  /** Uid of the function that had a layer last. */
  readonly #byLayer = new Map<string, string>();
  /** Told of what comes to its end here, by deletion or because newer revisions take its place. */
  readonly retention: Retention;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(store: FunctionStore, buildImage: BuildImage, changed: (uid: string, name: string) => void, retention = new Retention()) {
    this.#store = store;
    this.#buildImage = buildImage;
    this.#changed = changed;
    this.retention = retention;
  }

  async load(): Promise<void> {
    for (const stored of await this.#store.load()) this.#remember(stored);
  }

  /** Sorted by name. */
  list(): readonly FunctionRecord[] {
    this.#list ??= this.#names.map((name) => this.get(name));
    return this.#list;
  }

  byUid(uid: string): FunctionRecord | undefined {
    return this.#byUid.get(uid)?.record;
  }

  /** How it is known that a function is over; null: it is not. That it is unknown is not enough, what was listed may be incomplete. */
  endOf(uid: string): FunctionEnd | null {
    return this.#byUid.has(uid) ? null : this.retention.endOf(uid);
  }

  find(name: string): FunctionRecord | undefined {
    return this.#byName.get(name)?.record;
  }

  /** What holds a function that is being deleted; null: it is not. */
  endingOf(name: string): string[] | null {
    return this.#store.endingOf?.(name) ?? null;
  }

  get(name: string): FunctionRecord {
    return this.#storedOf(name).record;
  }

  /** Code that some revision has already; another function may be deployed with it. */
  codeByDigest(layer: string): CodeRef | undefined {
    const holder = this.#byLayer.get(layer);
    if (holder === undefined) return undefined;
    const revisionOf = ({ revisions }: FunctionRecord) => revisions.find((revision) => revision.layer === layer);
    const last = this.byUid(holder);
    // The last function that had it may be gone, or have newer revisions: another one may have it still.
    const kept = last && revisionOf(last) ? last : this.list().find(revisionOf);
    if (kept) this.#byLayer.set(layer, kept.uid);
    else this.#byLayer.delete(layer);
    const found = kept && revisionOf(kept);
    return found && codeOf(found);
  }

  /** Environment of a revision, secrets included: for its load order only. Throws where the values of secrets are lost: it does not run without them. */
  environment(uid: string, revision: Revision): Record<string, string> {
    const secrets = this.#byUid.get(uid)?.secrets[revision.id];
    const lost = lostSecrets(revision, secrets);
    if (lost.length > 0) throw new Error(lostInWords(lost));
    return { ...revision.env, ...secrets };
  }

  /** What keeps a served revision from being started, whatever its instances do; empty: nothing. */
  problemsOf(uid: string): string[] {
    const stored = this.#byUid.get(uid);
    if (!stored) return [];
    return servedRevisions(stored.record).flatMap((revision) => {
      const lost = lostSecrets(revision, stored.secrets[revision.id]);
      return lost.length > 0 ? [`${revision.id} cannot be started: ${lostInWords(lost)}`] : [];
    });
  }

  /**
   * Creates a function, or gives it new code or settings. `make` gets the manifest in force, if any;
   * without `code` the active revision's is kept. `placing` says whether it becomes the active one, and when; a rollout
   * policy of the function says by which steps.
   */
  deploy(name: string, make: (current?: InForce) => Manifest, code?: CodeRef, placing: Placing = {}): Promise<Deployed> {
    return this.exclusively(async () => {
      const existing = this.#byName.get(name);
      if (!existing && !code) this.#storedOf(name);
      const manifest = make(existing && inForce(existing));
      const stored = existing ?? this.#create(name, manifest);
      const ref = code ?? codeOf(baseRevision(stored.record));
      return this.#put(stored, manifest, ref, (record, revision) => deployed(record, revision, placing));
    });
  }

  /** Takes in what was declared in the store. Rejects as `deploy` and `setTraffic` do. */
  declare(declaration: Declaration): Promise<void> {
    return this.exclusively(async () => {
      if (!declaration.isPending()) return;
      const existing = this.#byName.get(declaration.name);
      const code = await declaration.code();
      const { stored, manifest } = existing
        ? { stored: existing, manifest: await declaration.manifest(() => secretsOf(existing)) }
        : ((await this.#recovered(declaration, code)) ?? (await this.#begun(declaration)));
      await this.#put(stored, manifest, code, (record, revision) => declared(record, revision, declaration), declaration);
    });
  }

  async #begun(declaration: Declaration): Promise<{ stored: StoredFunction; manifest: Manifest }> {
    const manifest = await declaration.manifest(() => ({}));
    return { stored: this.#create(declaration.name, manifest), manifest };
  }

  /**
   * A declaration without a record that says exactly what a former revision was made of is that function: its instances
   * serve on, as the revision that they have loaded.
   */
  async #recovered(declaration: Declaration, code: CodeRef): Promise<{ stored: StoredFunction; manifest: Manifest } | null> {
    for (const former of await declaration.former()) {
      if (this.#byUid.has(former.uid) || this.retention.isOver(former.uid)) continue;
      const manifest = await declaration.manifest(() => former.secrets);
      if (identityOf(former.uid, hashOf(manifest, code)) !== former.identity) continue;
      return { stored: { ...this.#create(declaration.name, manifest, former), continues: former.highest }, manifest };
    }
    return null;
  }

  /** Gives a function this manifest and code, as a new revision where it has none like it; `place` says which is invoked then. */
  async #put(
    stored: StoredFunction,
    manifest: Manifest,
    ref: CodeRef,
    place: (record: FunctionRecord, revision: string) => Placed,
    declaration?: Declaration,
  ): Promise<Deployed> {
    const hash = hashOf(manifest, ref);
    const same = stored.record.revisions.find((revision) => revision.hash === hash);
    const revision = same ?? (await this.#revise(stored.record, manifest, ref, hash));
    const changed: FunctionRecord = { ...stored.record, latest: revision.id, scaling: scalingOf(manifest), rolloutPolicy: manifest.rollout };
    const record = { ...changed, ...place(changed, revision.id) };
    const secrets = { ...stored.secrets };
    if (!same) {
      // Of revisions that nothing is left of some instance may still have the number.
      record.nextRevision = stored.continues === undefined ? record.nextRevision + 1 : stored.continues + 1 + MAX_REVISIONS;
      record.revisions = [...record.revisions, revision];
    }
    // Also of a revision that there is: its values may be lost, and these are the same.
    if (revision.secretNames.length > 0) secrets[revision.id] = manifest.secrets;
    checkServed(record);
    record.revisions = retained(record);
    return { record: await this.#commit(record, secrets, declaration), newRevision: !same };
  }

  /** Makes an older revision active: the named one, or the one that was before; or one that is about to be replaced stays. */
  rollback(name: string, to?: string): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record, secrets } = this.#storedOf(name);
      if (!to && isRolling(record.rollout)) return this.#moveOn({ ...record, ...end(record, record.rollout, "undone", BY_HAND) });
      const target = to ? record.revisions.find((revision) => revision.id === to) : rollbackTarget(record);
      if (!target && to) throw new ManagerError("REVISION_NOT_FOUND", `${name} has no revision ${to}`, "revision");
      if (!target) throw new ManagerError("NO_OLDER_REVISION", `no other revision of ${name} was active before ${record.active}`);
      return this.#commit({ ...record, ...atOnce(record, target.id), history: wentBack(record.history, target.id) }, secrets);
    });
  }

  /** Shares invocations out; what is left out stays as it is, except that another active revision ends the split. */
  setTraffic(name: string, { active, split, aliases }: TrafficChange): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record, secrets } = this.#storedOf(name);
      if (isRolling(record.rollout) && (active !== undefined || split)) {
        throw new ManagerError("ROLLOUT_RUNNING", `${record.rollout.to} is taking over from ${record.rollout.from}, and its share with it`);
      }
      const changed: FunctionRecord = active === undefined || active === record.active ? { ...record } : { ...record, ...atOnce(record, active) };
      changed.traffic = { split: split ?? changed.traffic.split, aliases: aliases ?? changed.traffic.aliases };
      checkServed(changed);
      delete changed.traffic.split[changed.active];
      return this.#commit(changed, secrets);
    });
  }

  /** Holds a rollout up, lets it go on, or has the old revision return. Throws `ROLLOUT_OVER`. */
  steer(name: string, verb: "pause" | "resume" | "undo"): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record } = this.#storedOf(name);
      const { rollout } = record;
      if (!isRolling(rollout))
        throw new ManagerError("ROLLOUT_OVER", rollout ? `the rollout of ${rollout.to} is ${rollout.state}` : `${name} has had no rollout`);
      if (verb === "undo") return this.#moveOn({ ...record, ...end(record, rollout, "undone", BY_HAND) });
      return this.#moveOn({ ...record, rollout: { ...rollout, state: verb === "pause" ? "paused" : "rolling" } });
    });
  }

  /** Functions that want instances though nobody asks for them: some kept warm, or others for another revision. */
  wanting(): FunctionRecord[] {
    return [...this.#wanting.values()];
  }

  /** Functions whose revision changes by steps. */
  rolling(): FunctionRecord[] {
    return this.wanting().filter(({ rollout }) => isRolling(rollout));
  }

  /** A rollout has got on; nothing happens where the function is not as it was decided upon. */
  progress(before: FunctionRecord, change: Placed): Promise<void> {
    return this.exclusively(async () => {
      if (this.#byUid.get(before.uid)?.record === before) await this.#moveOn({ ...before, ...change });
    });
  }

  async #moveOn(moved: FunctionRecord): Promise<FunctionRecord> {
    const { record: before, secrets } = this.#storedOf(moved.name);
    const record = activated(moved, before.active, new Date().toISOString());
    await this.#store.progress(record, secrets);
    this.#remember({ record, secrets });
    this.#changed(record.uid, record.name);
    return record;
  }

  remove(name: string): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record } = this.#storedOf(name);
      await this.#store.remove(record);
      return this.#drop(record);
    });
  }

  /** It is gone from the store. */
  withdraw(name: string): Promise<void> {
    return this.exclusively(async () => {
      const stored = this.#byName.get(name);
      if (stored) this.#drop(stored.record);
    });
  }

  #drop(record: FunctionRecord): FunctionRecord {
    this.#byName.delete(record.name);
    this.#names.splice(placeOf(record.name, this.#names), 1);
    this.#list = null;
    this.#byUid.delete(record.uid);
    this.#wanting.delete(record.uid);
    this.retention.end([record.uid, ...contentOf(record.revisions)], `the function ${record.name} was deleted`);
    this.#changed(record.uid, record.name);
    return record;
  }

  #create(name: string, manifest: Manifest, former?: Former): StoredFunction {
    if (this.#byName.size >= MAX_FUNCTIONS) {
      throw new ManagerError("TOO_MANY_FUNCTIONS", `${MAX_FUNCTIONS} functions are deployed already`);
    }
    const record = newFunction(name, manifest);
    if (former) Object.assign(record, { uid: former.uid, nextRevision: Number(former.revision.slice(1)) });
    return { record, secrets: {} };
  }

  async #revise(record: FunctionRecord, manifest: Manifest, code: CodeRef, hash: string): Promise<Revision> {
    if (manifest.runtime !== record.runtime) {
      throw new ManagerError("MANIFEST_INVALID", `runtime: ${record.name} runs on ${record.runtime}; delete it first`, "runtime");
    }
    const id = `r${record.nextRevision}`;
    const image = await this.#buildImage(record.name, id, identityOf(record.uid, hash), code.layer);
    return newRevision({ id, hash, image, code, manifest });
  }

  async #commit(changed: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<FunctionRecord> {
    const record = activated(changed, this.#byName.get(changed.name)?.record.active, new Date().toISOString());
    const kept = new Set(record.revisions.map((revision) => revision.id));
    const own = Object.fromEntries(Object.entries(secrets).filter(([id]) => kept.has(id)));
    await this.#store.save(record, own, declaration);
    const superseded = (this.#byName.get(changed.name)?.record.revisions ?? []).filter(({ id }) => !kept.has(id));
    this.retention.end(contentOf(superseded), `a newer revision of ${record.name} took its place`);
    this.#remember({ record, secrets: own });
    this.#changed(record.uid, record.name);
    return record;
  }

  #remember(stored: StoredFunction): void {
    const { name } = stored.record;
    if (!this.#byName.has(name)) this.#names.splice(placeOf(name, this.#names), 0, name);
    this.#list = null;
    for (const { layer } of stored.record.revisions) this.#byLayer.set(layer, stored.record.uid);
    this.#byName.set(stored.record.name, stored);
    this.#byUid.set(stored.record.uid, stored);
    const { uid, scaling, rollout } = stored.record;
    if (scaling.minScale > 0 || isRolling(rollout)) this.#wanting.set(uid, stored.record);
    else this.#wanting.delete(uid);
  }

  #storedOf(name: string): StoredFunction {
    const stored = this.#byName.get(name);
    if (!stored) throw new ManagerError("FUNCTION_NOT_FOUND", `there is no function ${JSON.stringify(name)}`, "name");
    return stored;
  }

  /** Runs `work` while no function changes. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work, work);
    this.#tail = result.catch(() => {});
    return result;
  }
}

/** Digests of what revisions are made of. */
function contentOf(revisions: readonly Revision[]): string[] {
  return revisions.flatMap(({ image, layer }) => [image, layer]);
}

/** Index of a name in names that are in order, or where it belongs. */
function placeOf(name: string, names: readonly string[]): number {
  let [from, to] = [0, names.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((names[middle] as string) < name) from = middle + 1;
    else to = middle;
  }
  return from;
}

function lostInWords(names: readonly string[]): string {
  return `the values of its secrets are lost (${names.join(", ")}): deploy it again with them`;
}

function inForce({ record, secrets }: StoredFunction): InForce {
  const base = baseRevision(record);
  const values = secrets[base.id] ?? {};
  return { ...manifestOf(record, { ...values }), name: record.name, lostSecrets: lostSecrets(base, values) };
}

/** Values of the secrets in force. Throws `SECRETS_LOST`. */
function secretsOf({ record, secrets }: StoredFunction): Record<string, string> {
  const base = baseRevision(record);
  refuseLost(record.name, lostSecrets(base, secrets[base.id]));
  return { ...secrets[base.id] };
}
