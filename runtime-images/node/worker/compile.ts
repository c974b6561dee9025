import { renameSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { CACHE_SUFFIX } from "../../protocol/layer.ts";
import { compileCache } from "./import.ts";

/** `node --experimental-vm-modules compile.cjs FILE`: writes the code cache of a module beside the module. */
const file = process.argv[2];
if (file) {
  setPriority(10);
  const target = file + CACHE_SUFFIX;
  writeFileSync(`${target}.tmp`, compileCache(file), { mode: 0o444 });
  renameSync(`${target}.tmp`, target);
}
