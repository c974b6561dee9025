import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { PoolStore, StoredPool } from "../pool/pools.ts";
import type { PoolSpec } from "../pool/state.ts";
import { durably } from "./file-store.ts";
import { type FileOps, FileSet, realFiles } from "./files.ts";

/** One YAML file a pool below `pools/`. */
export class PoolFiles implements PoolStore {
  readonly #files: FileSet;

  constructor(stateDir: string, ops: FileOps = realFiles) {
    this.#files = new FileSet(join(stateDir, "pools"), 0o600, ops);
  }

  async load(): Promise<Map<string, StoredPool>> {
    const stored = [...(await this.#files.readAll()).values()].map((text) => parse(text) as PoolSpec);
    return new Map(stored.map(({ name, size, max, budget, partition, paused }) => [name, { set: { size, max, budget, partition, paused }, held: null }]));
  }

  save(pool: PoolSpec): Promise<void> {
    return durably(() => this.#files.write(`${pool.name}.yaml`, stringify(pool)));
  }
}
