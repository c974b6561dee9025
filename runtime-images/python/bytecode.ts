import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "./find-python.ts";

const COMPILE_MS = 120_000;

/**
 * Compiles the worker in `dist`, unless it is compiled for this interpreter: the build compiles it for the one that it finds, and
 * workers write no bytecode. Without it a worker starts slower. Returns why it could not be compiled; null: it is.
 */
export async function compileWorker(dist: string, python: Python): Promise<string | null> {
  const mark = join(dist, `compiled-${python.cacheTag}`);
  if (existsSync(mark)) return null;
  try {
    await compileFiles(dist, python);
    writeFileSync(mark, "");
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Writes the bytecode of a directory. It is valid whatever the times of its sources, and the same for the same sources: its paths
 * are relative. Rejects with the reason if a file has none afterwards.
 */
export function compileFiles(dir: string, { program }: Pick<Python, "program">, options: readonly string[] = []): Promise<void> {
  const args = ["-I", "-S", "-m", "compileall", "-q", ...options, "--invalidation-mode", "unchecked-hash", "."];
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: dir, timeout: COMPILE_MS, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${stderr.trim() || stdout.trim() || error.message}`.split("\n").at(-1)));
      else resolve();
    });
  });
}
