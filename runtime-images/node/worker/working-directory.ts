import { mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The entry of the code, and what Berth keeps beside it. */
const ENTRY = /^index\.[cm]?js(\.\w+)*$/;

/**
 * Gives code with files beside it a working directory in which these are found, as by `./views/page.html`. It is a directory
 * of links: what the function writes into it is its own, while other instances may have the same code.
 */
export function enterCode(file: string): void {
  const names = readdirSync(dirname(file)).filter((name) => !ENTRY.test(name));
  if (names.length === 0) return;
  const dir = mkdtempSync(join(tmpdir(), "code-"));
  for (const name of names) symlinkSync(join(dirname(file), name), join(dir, name));
  process.chdir(dir);
}
