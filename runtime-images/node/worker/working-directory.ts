import { mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The entry of the code, and what Berth keeps beside it. */
const ENTRY = /^index\.[cm]?js(\.\w+)*$/;

/**
 * Gives code with files beside it a working directory in which these are found, as by `./views/page.html`.
 */
export function enterCode(file: string): void {
  const root = dirname(file);
  const names = readdirSync(root).filter((name) => !ENTRY.test(name));
  if (names.length > 0) process.chdir(linksTo(root, names));
}

/** A new directory of links to these files of `root`: what the function writes into it is its own, while other instances may have the same code. */
export function linksTo(root: string, names: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), "code-"));
  for (const name of names) symlinkSync(join(root, name), join(dir, name));
  return dir;
}
