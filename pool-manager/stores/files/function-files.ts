import { join } from "node:path";
import { type FileOps, realFiles } from "../../async/atomic-file.ts";
import { ManagerError } from "../../errors.ts";
import { type FunctionRecord, type FunctionStore, NO_TRAFFIC, type Secrets } from "../../functions/function.ts";
import { formerHistory } from "../../functions/history.ts";
import { isSecrets, isWhole } from "../stored-record.ts";
import { FileSet } from "./file-set.ts";
import type { SetAside } from "./set-aside.ts";
import { readStored, writeStored } from "./stored-text.ts";

/**
 * Stores each function as a file in `functions/`, and its secrets as one in `secrets/`, with mode 0600.
 * Secrets are written before the function that names them and removed after it, so that a crash in
 * between leaves secrets without a function, which the next start removes, and never the reverse.
 */
export class FunctionFiles implements FunctionStore {
  readonly #functions: FileSet;
  readonly #secrets: FileSet;

  /** Names of secrets files that exist or may exist. */
  readonly #kept = new Set<string>();

  /** Files that could not be loaded. */
  readonly damaged: SetAside[] = [];

  constructor(stateDir: string, ops: FileOps = realFiles) {
    this.#functions = new FileSet(join(stateDir, "functions"), 0o600, ops);
    this.#secrets = new FileSet(join(stateDir, "secrets"), 0o600, ops);
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    const secrets = await this.#secrets.readAll((_name, text) => readSecrets(text));
    for (const file of secrets.found.keys()) this.#kept.add(file);
    const uids = new Set<string>();
    const functions = await this.#functions.readAll((name, text) => {
      const record = readRecord(name, text);
      if (uids.has(record.uid)) throw new Error(`another function has its uid ${record.uid}`);
      uids.add(record.uid);
      return record;
    });
    this.damaged.push(...secrets.damaged, ...functions.damaged);
    // Orphans are removed only if no function file was damaged: the secrets of a damaged one are needed once it is repaired.
    const orphans = [...secrets.found.keys()].filter((file) => !uids.has(file.replace(/\.json$/, "")));
    for (const orphan of orphans) {
      if (functions.damaged.length === 0) await this.#secrets.remove(orphan);
      else this.damaged.push(await this.#secrets.setAside(orphan, "its function could not be read"));
    }
    return [...functions.found.values()].map((record) => ({ record, secrets: secrets.found.get(`${record.uid}.json`) ?? {} }));
  }

  async save(record: FunctionRecord, secrets: Secrets): Promise<void> {
    const file = `${record.uid}.json`;
    const any = record.revisions.some((revision) => revision.secretNames.length > 0);
    await durably(async () => {
      if (any) await this.#keep(file, secrets);
      await this.#functions.write(`${record.name}.yaml`, writeStored(record));
      if (!any) await this.#drop(file);
    });
  }

  progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    return this.save(record, secrets);
  }

  async remove(record: FunctionRecord): Promise<void> {
    await durably(async () => {
      await this.#functions.remove(`${record.name}.yaml`);
      await this.#drop(`${record.uid}.json`);
    });
  }

  async #keep(file: string, secrets: Secrets): Promise<void> {
    this.#kept.add(file);
    await this.#secrets.write(file, JSON.stringify(secrets));
  }

  /** Removes a secrets file, if there is one: most functions have none. */
  async #drop(file: string): Promise<void> {
    if (!this.#kept.has(file)) return;
    await this.#secrets.remove(file);
    this.#kept.delete(file);
  }
}

/** Parses a function's record; fields that an older Berth did not write get the values that it implied. Throws if it is not a function. */
function readRecord(name: string, text: string): FunctionRecord {
  const stored = readStored(text);
  if (!isWhole(stored)) throw new Error("it is not a function");
  const record = stored as unknown as FunctionRecord;
  if (`${record.name}.yaml` !== name) throw new Error(`it is the function ${JSON.stringify(record.name)}`);
  const { traffic = NO_TRAFFIC, latest = record.active, rolloutPolicy = null, rollout = null, history = formerHistory(record) } = record;
  return { ...record, traffic, latest, rolloutPolicy, rollout, history };
}

/** Throws if the text is not a function's secrets. */
function readSecrets(text: string): Secrets {
  const secrets: unknown = JSON.parse(text);
  if (!isSecrets(secrets)) throw new Error("it does not contain secrets");
  return secrets;
}

/** Runs a write; turns its failure into `STORE_FAILED`. */
export async function durably(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new ManagerError("STORE_FAILED", `could not be stored: ${(error as Error).message}`);
  }
}
