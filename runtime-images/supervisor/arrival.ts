import { mkdirSync, readFileSync, renameSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { CODE_READY } from "../protocol/messages.ts";

/**
 * Waits until a code container has put this function into `volume`, then moves it to `target`, where no later swap
 * replaces it. Calls `arrived` once, unless the returned function cancels the wait first.
 */
export function awaitCode(volume: string, digest: string, target: string, arrived: () => void): () => void {
  mkdirSync(volume, { recursive: true });
  mkdirSync(dirname(target), { recursive: true });
  const current = join(volume, "current");
  const check = () => {
    if (read(join(current, CODE_READY)) !== digest) return;
    renameSync(current, target);
    watcher.close();
    arrived();
  };
  const watcher = watch(volume, check);
  check();
  return () => watcher.close();
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
