import { join } from "node:path";
import { Type } from "typebox";
import { Compile } from "typebox/compile";
import { type FileOps, realFiles } from "../../async/atomic-file.ts";
import type { PoolSpec } from "../../pool/decide/world.ts";
import type { PoolStore, StoredPool } from "../../pool/pools.ts";
import { declarationOf } from "../../pool/settings/pool-change.ts";
import { type PoolChange, PoolFields } from "../../pool/settings/pool-fields.ts";
import { FileSet } from "./file-set.ts";
import { durably } from "./function-files.ts";
import type { SetAside } from "./set-aside.ts";
import { readStored, writeStored } from "./stored-text.ts";

const schema = Compile(Type.Object({ ...PoolFields.properties, name: Type.String(), forced: Type.Optional(Type.Boolean()) }));

/** Stores each pool as a file in `pools/`. */
export class PoolFiles implements PoolStore {
  readonly #files: FileSet;

  /** Files that could not be loaded. */
  readonly damaged: SetAside[] = [];

  constructor(stateDir: string, ops: FileOps = realFiles) {
    this.#files = new FileSet(join(stateDir, "pools"), 0o600, ops);
  }

  async load(): Promise<Map<string, StoredPool>> {
    const { found, damaged } = await this.#files.readAll(readPool);
    this.damaged.push(...damaged);
    return new Map([...found.values()].map(({ name, set, forced }) => [name, { set, held: null, forced }]));
  }

  save(pool: PoolSpec, _change: PoolChange, forced: boolean): Promise<void> {
    const { name, runtime } = pool;
    return durably(() => this.#files.write(`${name}.yaml`, writeStored({ name, runtime, ...declarationOf(pool), ...(forced && { forced }) })));
  }
}

/** Throws if the text is not a pool of this file's name. */
function readPool(file: string, text: string): { name: string; set: PoolChange; forced: boolean } {
  const stored = readStored(text);
  if (!schema.Check(stored)) throw new Error("it is not a pool");
  const { name, size, targetHit, min, max, budget, partition, paused, warm, idleMemory, forced = false } = stored;
  if (`${name}.yaml` !== file) throw new Error(`it is the pool ${JSON.stringify(name)}`);
  const least = typeof size === "number" ? size : min;
  if (least !== undefined && max !== undefined && least > max) throw new Error(`its size ${least} is above its max ${max}`);
  return { name, set: { size, targetHit, min, max, budget, partition, paused, warm, idleMemory } as PoolChange, forced };
}
