import { Sequencer } from "../async/sequencer.ts";
import { ManagerError } from "../errors.ts";
import { rolledBack, settled, steered, withRevision, withTraffic } from "./changes.ts";
import type { CodeRef, Declaration, Former, FunctionRecord, FunctionStore, Revision, Secrets } from "./function.ts";
import { FunctionIndex } from "./function-index.ts";
import { activated } from "./history.ts";
import type { InForce, Manifest } from "./manifest/manifest.ts";
import { NO_CLASSES } from "./manifest/size-classes.ts";
import { type FunctionEnd, Retention } from "./retention.ts";
import { type BuildImage, baseRevision, codeOf, declared, deployed, hashOf, identityOf, nextRevision, type Placed, type Placing } from "./revisions.ts";
import { isRolling } from "./rollout.ts";
import { contentOf, environmentOf, inForce, newStored, type StoredFunction, secretsInForce, startProblems } from "./stored-function.ts";
import type { TrafficChange } from "./traffic.ts";

const MAX_FUNCTIONS = 10_000;

export interface Deployed {
  record: FunctionRecord;
  /** False where the same content was deployed before. */
  newRevision: boolean;
}

/**
 * The functions and their revisions. Writes are serialised; memory changes only after the store has
 * accepted the write, so that what was acknowledged survives any crash.
 */
export class FunctionRegistry {
  readonly #store: FunctionStore;
  readonly #buildImage: BuildImage;
  readonly #changed: (uid: string, name: string) => void;
  readonly #index: FunctionIndex;
  /** Told of what comes to its end here, by deletion or because newer revisions take its place. */
  readonly retention: Retention;
  readonly #changes = new Sequencer();

  constructor(store: FunctionStore, buildImage: BuildImage, changed: (uid: string, name: string) => void, retention = new Retention(), classes = NO_CLASSES) {
    this.#index = new FunctionIndex(classes);
    this.#store = store;
    this.#buildImage = buildImage;
    this.#changed = changed;
    this.retention = retention;
  }

  async load(): Promise<void> {
    for (const stored of await this.#store.load()) this.#index.set(stored);
  }

  /** Sorted by name. */
  readonly list = (): readonly FunctionRecord[] => this.#index.list();

  /** Whether any function has a served revision whose instances are this pool's. */
  readonly uses = (pool: string): boolean => this.#index.uses(pool);

  /** The pool that instances of a revision come from; without one, of the active revision. */
  readonly poolOf = (record: FunctionRecord, revision?: Revision): string => this.#index.poolOf(record, revision);

  byUid(uid: string): FunctionRecord | undefined {
    return this.#index.byUid(uid)?.record;
  }

  /** How it is known that a function is over; null: it is not. That it is unknown is not enough, what was listed may be incomplete. */
  endOf(uid: string): FunctionEnd | null {
    return this.#index.byUid(uid) ? null : this.retention.endOf(uid);
  }

  find(name: string): FunctionRecord | undefined {
    return this.#index.byName(name)?.record;
  }

  /** The holders of a function that is being deleted, such as finalizers; null: it is not being deleted. */
  endingOf(name: string): string[] | null {
    return this.#store.endingOf?.(name) ?? null;
  }

  get(name: string): FunctionRecord {
    return this.#storedOf(name).record;
  }

  /** Code that some revision has already; another function may be deployed with it. */
  codeByDigest(layer: string): CodeRef | undefined {
    return this.#index.codeByDigest(layer);
  }

  /** Environment of a revision, secrets included: for its load order only. Throws where the values of secrets are lost: it does not run without them. */
  environment(uid: string, revision: Revision): Record<string, string> {
    return environmentOf(this.#index.byUid(uid)?.secrets, revision);
  }

  /** The problems that keep a served revision from being started, whatever its instances do; empty: none. */
  problemsOf(uid: string): string[] {
    const stored = this.#index.byUid(uid);
    return stored ? startProblems(stored) : [];
  }

  /**
   * Creates a function, or gives it new code or settings. `make` gets the manifest in force, if any;
   * without `code` the active revision's is kept. `placing` says whether it becomes the active one, and when; a rollout
   * policy of the function says by which steps.
   */
  deploy(name: string, make: (current?: InForce) => Manifest, code?: CodeRef, placing: Placing = {}): Promise<Deployed> {
    return this.exclusively(async () => {
      const existing = this.#index.byName(name);
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
      const existing = this.#index.byName(declaration.name);
      const code = await declaration.code();
      const { stored, manifest } = existing
        ? { stored: existing, manifest: await declaration.manifest(() => secretsInForce(existing)) }
        : await this.#begun(declaration, code);
      await this.#put(stored, manifest, code, (record, revision) => declared(record, revision, declaration), declaration);
    });
  }

  /**
   * The function that a declaration without a record begins. If it says exactly what a former revision was made of it is
   * that function: its instances go on serving, as the revision that they have loaded.
   */
  async #begun(declaration: Declaration, code: CodeRef): Promise<{ stored: StoredFunction; manifest: Manifest }> {
    for (const former of await declaration.former()) {
      if (this.#index.byUid(former.uid) || this.retention.isOver(former.uid)) continue;
      const manifest = await declaration.manifest(() => former.secrets);
      if (identityOf(former.uid, hashOf(manifest, code)) !== former.identity) continue;
      return { stored: { ...this.#create(declaration.name, manifest, former), continues: former.highest }, manifest };
    }
    const manifest = await declaration.manifest(() => ({}));
    return { stored: this.#create(declaration.name, manifest), manifest };
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
    const revision = same ?? (await nextRevision(stored.record, manifest, ref, hash, this.#buildImage));
    const { record, secrets } = withRevision(stored, manifest, revision, place);
    return { record: await this.#commit(record, secrets, declaration), newRevision: !same };
  }

  /** Makes an older revision active: the named one, or the one that was before; or one that is about to be replaced stays. */
  rollback(name: string, to?: string): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record, secrets } = this.#storedOf(name);
      const changed = rolledBack(record, to);
      return isRolling(record.rollout) && !to ? this.#moveOn(changed) : this.#commit(changed, secrets);
    });
  }

  /** Shares invocations out; what is left out stays as it is, except that another active revision ends the split. */
  setTraffic(name: string, change: TrafficChange): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record, secrets } = this.#storedOf(name);
      return this.#commit(withTraffic(record, change), secrets);
    });
  }

  /** Pauses, resumes or undoes a rollout. Throws `ROLLOUT_OVER`. */
  steer(name: string, verb: "pause" | "resume" | "undo"): Promise<FunctionRecord> {
    return this.exclusively(async () => this.#moveOn(steered(this.get(name), verb)));
  }

  /** Functions that want instances though nobody asks for them: some kept warm, or others for another revision. */
  readonly wanting = (): FunctionRecord[] => this.#index.wanting();

  /** Functions whose revision changes by steps. */
  rolling(): FunctionRecord[] {
    return this.wanting().filter(({ rollout }) => isRolling(rollout));
  }

  /** A rollout has got on; nothing happens where the function is not as it was decided upon. */
  progress(before: FunctionRecord, change: Placed): Promise<void> {
    return this.exclusively(async () => {
      if (this.#index.byUid(before.uid)?.record === before) await this.#moveOn({ ...before, ...change });
    });
  }

  async #moveOn(moved: FunctionRecord): Promise<FunctionRecord> {
    const { record: before, secrets } = this.#storedOf(moved.name);
    const record = activated(settled(moved), before.active, new Date().toISOString());
    await this.#store.progress(record, secrets);
    this.#index.set({ record, secrets });
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
      const stored = this.#index.byName(name);
      if (stored) this.#drop(stored.record);
    });
  }

  #drop(record: FunctionRecord): FunctionRecord {
    this.#index.delete(record);
    this.retention.end([record.uid, ...contentOf(record.revisions)], `the function ${record.name} was deleted`);
    this.#changed(record.uid, record.name);
    return record;
  }

  #create(name: string, manifest: Manifest, former?: Former): StoredFunction {
    if (this.#index.size >= MAX_FUNCTIONS) throw new ManagerError("TOO_MANY_FUNCTIONS", `${MAX_FUNCTIONS} functions are deployed already`);
    return newStored(name, manifest, former);
  }

  async #commit(changed: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<FunctionRecord> {
    const record = activated(settled(changed), this.#index.byName(changed.name)?.record.active, new Date().toISOString());
    const kept = new Set(record.revisions.map((revision) => revision.id));
    const own = Object.fromEntries(Object.entries(secrets).filter(([id]) => kept.has(id)));
    await this.#store.save(record, own, declaration);
    const superseded = (this.#index.byName(changed.name)?.record.revisions ?? []).filter(({ id }) => !kept.has(id));
    this.retention.end(contentOf(superseded), `a newer revision of ${record.name} took its place`);
    this.#index.set({ record, secrets: own });
    this.#changed(record.uid, record.name);
    return record;
  }

  #storedOf(name: string): StoredFunction {
    const stored = this.#index.byName(name);
    if (!stored) throw new ManagerError("FUNCTION_NOT_FOUND", `there is no function ${JSON.stringify(name)}`, "name");
    return stored;
  }

  /** Runs `work` while no function changes. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.run(work);
  }
}
