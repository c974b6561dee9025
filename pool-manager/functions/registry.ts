import { createHash, randomBytes } from "node:crypto";
import { ManagerError } from "../errors.ts";
import { activeRevision, type FunctionRecord, type FunctionStore, MAX_REVISIONS, type Revision, type Scaling, type Secrets } from "./function.ts";
import type { Manifest } from "./manifest.ts";

const MAX_FUNCTIONS = 10_000;

/** Code that a revision is made of, as the image store knows it. */
export interface CodeRef {
  layer: string;
  entry: string;
}

/** Builds the code image of a revision; returns its digest. */
export type BuildImage = (name: string, revision: string, identity: string, layer: string) => Promise<string>;

export interface Deployed {
  record: FunctionRecord;
  /** False where the same content was deployed before. */
  newRevision: boolean;
}

interface Held {
  record: FunctionRecord;
  secrets: Secrets;
}

/**
 * The functions and their revisions. Writes are serialised; memory changes only after the store has
 * accepted the write, so that what was acknowledged survives any crash.
 */
export class FunctionRegistry {
  readonly #store: FunctionStore;
  readonly #buildImage: BuildImage;
  readonly #changed: (uid: string) => void;
  readonly #byName = new Map<string, Held>();
  readonly #byUid = new Map<string, Held>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(store: FunctionStore, buildImage: BuildImage, changed: (uid: string) => void) {
    this.#store = store;
    this.#buildImage = buildImage;
    this.#changed = changed;
  }

  async load(): Promise<void> {
    for (const held of await this.#store.load()) this.#hold(held);
  }

  list(): FunctionRecord[] {
    return [...this.#byName.values()].map((held) => held.record).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  byUid(uid: string): FunctionRecord | undefined {
    return this.#byUid.get(uid)?.record;
  }

  find(name: string): FunctionRecord | undefined {
    return this.#byName.get(name)?.record;
  }

  get(name: string): FunctionRecord {
    return this.#held(name).record;
  }

  /** Code that some revision has already; another function may be deployed with it. */
  codeByDigest(layer: string): CodeRef | undefined {
    for (const { revisions } of this.list()) {
      const found = revisions.find((revision) => revision.layer === layer);
      if (found) return codeOf(found);
    }
    return undefined;
  }

  /** Environment of a revision, secrets included: for its load order only. */
  environment(uid: string, revision: Revision): Record<string, string> {
    return { ...revision.env, ...this.#byUid.get(uid)?.secrets[revision.id] };
  }

  /** Code images that some revision needs, and the name each is known by. */
  referencedImages(): Map<string, string> {
    const named = this.list().flatMap(({ name, revisions }) => revisions.map((r) => [r.image, `${name}:${r.id}`] as const));
    return new Map(named);
  }

  /**
   * Creates a function, or gives it new code or settings. `make` gets the manifest in force, if any;
   * without `code` the active revision's is kept.
   */
  deploy(name: string, make: (current?: Manifest) => Manifest, code?: CodeRef): Promise<Deployed> {
    return this.exclusively(async () => {
      const existing = this.#byName.get(name);
      if (!existing && !code) this.#held(name);
      const manifest = make(existing && manifestOf(existing.record, this.#secretsOf(existing)));
      const held = existing ?? this.#create(name, manifest);
      const ref = code ?? codeOf(activeRevision(held.record));
      const hash = hashOf(manifest, ref);
      const same = held.record.revisions.find((revision) => revision.hash === hash);
      const revision = same ?? (await this.#revise(held.record, manifest, ref, hash));
      const record: FunctionRecord = { ...held.record, active: revision.id, scaling: scalingOf(manifest) };
      const secrets = { ...held.secrets };
      if (!same) {
        record.nextRevision += 1;
        record.revisions = retained([...record.revisions, revision], revision.id);
        if (revision.secretNames.length > 0) secrets[revision.id] = manifest.secrets;
      }
      await this.#commit(record, secrets);
      return { record, newRevision: !same };
    });
  }

  /** Makes an older revision active: the named one, or the newest before the active one. */
  rollback(name: string, to?: string): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record, secrets } = this.#held(name);
      const at = record.revisions.findIndex((revision) => revision.id === record.active);
      const target = to ? record.revisions.find((revision) => revision.id === to) : record.revisions[at - 1];
      if (!target && to) throw new ManagerError("REVISION_NOT_FOUND", `${name} has no revision ${to}`, "revision");
      if (!target) throw new ManagerError("NO_OLDER_REVISION", `${name} has no revision before ${record.active}`);
      return this.#commit({ ...record, active: target.id }, secrets);
    });
  }

  remove(name: string): Promise<FunctionRecord> {
    return this.exclusively(async () => {
      const { record } = this.#held(name);
      await this.#store.remove(record);
      this.#byName.delete(name);
      this.#byUid.delete(record.uid);
      this.#changed(record.uid);
      return record;
    });
  }

  #create(name: string, manifest: Manifest): Held {
    if (this.#byName.size >= MAX_FUNCTIONS) {
      throw new ManagerError("TOO_MANY_FUNCTIONS", `${MAX_FUNCTIONS} functions are deployed already`);
    }
    const record: FunctionRecord = {
      uid: randomBytes(12).toString("hex"),
      name,
      runtime: manifest.runtime,
      createdAt: new Date().toISOString(),
      active: "",
      nextRevision: 1,
      scaling: scalingOf(manifest),
      revisions: [],
    };
    return { record, secrets: {} };
  }

  async #revise(record: FunctionRecord, manifest: Manifest, code: CodeRef, hash: string): Promise<Revision> {
    if (manifest.runtime !== record.runtime) {
      throw new ManagerError("MANIFEST_INVALID", `runtime: ${record.name} runs on ${record.runtime}; delete it first`, "runtime");
    }
    const id = `r${record.nextRevision}`;
    const identity = sha256(`${record.uid}\n${hash}`);
    return {
      id,
      hash,
      createdAt: new Date().toISOString(),
      layer: code.layer,
      image: await this.#buildImage(record.name, id, identity, code.layer),
      settings: {
        entry: code.entry,
        handler: manifest.handler,
        signature: manifest.signature,
        concurrency: manifest.concurrency,
        timeoutMs: manifest.timeoutMs,
      },
      loadTimeoutMs: manifest.loadTimeoutMs,
      env: manifest.env,
      secretNames: Object.keys(manifest.secrets).sort(),
    };
  }

  async #commit(record: FunctionRecord, secrets: Secrets): Promise<FunctionRecord> {
    const kept = new Set(record.revisions.map((revision) => revision.id));
    const own = Object.fromEntries(Object.entries(secrets).filter(([id]) => kept.has(id)));
    await this.#store.save(record, own);
    this.#hold({ record, secrets: own });
    this.#changed(record.uid);
    return record;
  }

  #secretsOf(held: Held): Record<string, string> {
    return { ...held.secrets[held.record.active] };
  }

  #hold(held: Held): void {
    this.#byName.set(held.record.name, held);
    this.#byUid.set(held.record.uid, held);
  }

  #held(name: string): Held {
    const held = this.#byName.get(name);
    if (!held) throw new ManagerError("FUNCTION_NOT_FOUND", `there is no function ${JSON.stringify(name)}`, "name");
    return held;
  }

  /** Runs `work` while no function changes. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work, work);
    this.#tail = result.catch(() => {});
    return result;
  }
}

/** The settings of a record's active revision as a manifest: the base of a partial change. */
export function manifestOf(record: FunctionRecord, secrets: Record<string, string>): Manifest {
  const { settings, env, loadTimeoutMs } = activeRevision(record);
  const { handler, signature, concurrency, timeoutMs } = settings;
  return { runtime: record.runtime, handler, signature, concurrency, timeoutMs, loadTimeoutMs, env, secrets, ...record.scaling };
}

function codeOf(revision: Revision): CodeRef {
  return { layer: revision.layer, entry: revision.settings.entry };
}

function scalingOf({ minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs }: Manifest): Scaling {
  return { minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs };
}

/** The newest revisions, and in any case the active one. */
function retained(revisions: Revision[], active: string): Revision[] {
  const excess = revisions.length - MAX_REVISIONS;
  return revisions.filter((revision, index) => index >= excess || revision.id === active);
}

function hashOf(manifest: Manifest, code: CodeRef): string {
  const { runtime, handler, signature, timeoutMs, loadTimeoutMs, concurrency } = manifest;
  const variables = [manifest.env, manifest.secrets].map((map) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sha256(JSON.stringify([code, runtime, handler, signature, timeoutMs, loadTimeoutMs, concurrency, variables]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
