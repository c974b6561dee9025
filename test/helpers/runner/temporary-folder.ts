import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The folder of this run; null: another project of the run has created it. */
let folder: string | null = null;

/** Everything that tests and the processes that they start put into the temporary folder goes into one of this run, which is removed with it. */
export function setup(): void {
  if (process.env.BERTH_TEST_FOLDER) return;
  // Short: the path of a Unix socket below it has at most 107 characters.
  folder = mkdtempSync(join(tmpdir(), "b-"));
  process.env.BERTH_TEST_FOLDER = folder;
  process.env.TMPDIR = folder;
}

export function teardown(): void {
  if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
