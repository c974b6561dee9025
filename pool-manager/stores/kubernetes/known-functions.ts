import { type FunctionRecord, lostSecrets, type Secrets } from "../../functions/function.ts";
import { type FunctionResource, resourceRecordOf } from "./function-resource.ts";

/** A function that the registry knows, and the uid of its resource: another resource of its name is another function's. */
export interface KnownFunction {
  readonly uid: string;
  readonly record: FunctionRecord;
  readonly secrets: Secrets;
}

/** The functions that the registry knows, by name, and those of them whose record is being written. */
export class KnownFunctions {
  readonly #known = new Map<string, KnownFunction & { uid: string }>();
  readonly #writing = new Set<string>();

  /** Learns the functions that these resources record, with their kept secrets by uid. Returns the names of resources with a damaged record. */
  load(resources: Iterable<FunctionResource>, secrets: ReadonlyMap<string, Secrets>): string[] {
    const damaged: string[] = [];
    for (const resource of resources) {
      const record = resourceRecordOf(resource);
      if (record) this.set({ uid: resource.metadata.uid, record, secrets: secrets.get(record.uid) ?? {} });
      else if (resource.status?.uid) damaged.push(resource.metadata.name);
    }
    return damaged;
  }

  get size(): number {
    return this.#known.size;
  }

  get(name: string): KnownFunction | undefined {
    return this.#known.get(name);
  }

  all(): KnownFunction[] {
    return [...this.#known.values()];
  }

  /** All but those that are being written: which of their two records holds is not known. */
  settled(): KnownFunction[] {
    return this.all().filter(({ record }) => !this.#writing.has(record.name));
  }

  /** One function, unless it is being written. */
  settledOf(name: string): KnownFunction | undefined {
    return this.#writing.has(name) ? undefined : this.#known.get(name);
  }

  set(known: KnownFunction): void {
    this.#known.set(known.record.name, known);
  }

  /** Another resource stands for the same function; it stays the same object. */
  relink(name: string, uid: string): void {
    const known = this.#known.get(name);
    if (known) known.uid = uid;
  }

  forget(name: string): void {
    this.#known.delete(name);
  }

  /** Whether the function of this name has the resource with this uid. */
  hasResource(name: string, uid: string): boolean {
    return this.#known.get(name)?.uid === uid;
  }

  /** Whether a function with this uid of its own is known. */
  hasFunction(uid: string): boolean {
    return this.all().some(({ record }) => record.uid === uid);
  }

  /** Whether values of the latest revision's secrets are lost: their Secret was deleted. */
  hasLostSecrets(name: string): boolean {
    const { record, secrets } = this.#known.get(name) ?? {};
    const latest = record?.revisions.find(({ id }) => id === record.latest);
    return latest !== undefined && lostSecrets(latest, secrets?.[latest.id]).length > 0;
  }

  /** Writes a function's record: until that has ended, its status may say either record. */
  async whileWriting(name: string, write: () => Promise<void>): Promise<void> {
    this.#writing.add(name);
    try {
      await write();
    } finally {
      this.#writing.delete(name);
    }
  }
}
