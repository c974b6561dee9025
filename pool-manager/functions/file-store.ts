import { join } from "node:path";
import { parse, stringify } from "yaml";
import { ManagerError } from "../errors.ts";
import { type FileOps, FileSet, realFiles } from "./files.ts";
import { type FunctionRecord, type FunctionStore, NO_TRAFFIC, type Secrets } from "./function.ts";
import { formerHistory } from "./history.ts";

/**
 * One YAML file a function in `functions/`, its secrets in `secrets/` with mode 0600.
 * Secrets are written before the function that names them and removed after it, so that a crash in
 * between leaves secrets without a function, which the next start removes, and never the reverse.
 */
export class FileStore implements FunctionStore {
  readonly #functions: FileSet;
  readonly #secrets: FileSet;

  constructor(stateDir: string, ops: FileOps = realFiles) {
    this.#functions = new FileSet(join(stateDir, "functions"), 0o600, ops);
    this.#secrets = new FileSet(join(stateDir, "secrets"), 0o600, ops);
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    const secrets = await this.#secrets.readAll();
    const loaded: { record: FunctionRecord; secrets: Secrets }[] = [];
    for (const [name, text] of await this.#functions.readAll()) {
      const record = readRecord(name, text);
      const own = secrets.get(`${record.uid}.json`);
      secrets.delete(`${record.uid}.json`);
      loaded.push({ record, secrets: own ? (JSON.parse(own) as Secrets) : {} });
    }
    for (const orphan of secrets.keys()) await this.#secrets.remove(orphan);
    return loaded;
  }

  async save(record: FunctionRecord, secrets: Secrets): Promise<void> {
    const file = `${record.uid}.json`;
    const any = record.revisions.some((revision) => revision.secretNames.length > 0);
    await durably(async () => {
      if (any) await this.#secrets.write(file, JSON.stringify(secrets));
      await this.#functions.write(`${record.name}.yaml`, stringify(record));
      if (!any) await this.#secrets.remove(file);
    });
  }

  progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    return this.save(record, secrets);
  }

  async remove(record: FunctionRecord): Promise<void> {
    await durably(async () => {
      await this.#functions.remove(`${record.name}.yaml`);
      await this.#secrets.remove(`${record.uid}.json`);
    });
  }
}

function readRecord(name: string, text: string): FunctionRecord {
  const record = parse(text) as FunctionRecord | null;
  if (!record?.uid || `${record.name}.yaml` !== name || !Array.isArray(record.revisions)) {
    throw new ManagerError("STORE_FAILED", `functions/${name} in the state directory is not a function; move it away`);
  }
  const { traffic = NO_TRAFFIC, latest = record.active, rolloutPolicy = null, rollout = null, history = formerHistory(record) } = record;
  return { ...record, traffic, latest, rolloutPolicy, rollout, history };
}

export async function durably(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new ManagerError("STORE_FAILED", `could not be stored: ${(error as Error).message}`);
  }
}
