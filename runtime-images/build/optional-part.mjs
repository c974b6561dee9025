// A part of the build that a machine may lack what it needs for. Berth works without it.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/**
 * Builds a part unless it is built. `build` returns why it could not be built, or null. The file `missing` keeps that reason:
 * it is printed once, and a start does not try again, since a package manager waits for a registry that it does not reach.
 */
export function buildOptional({ part, missing, isBuilt, build }) {
  if (isBuilt()) return;
  if (process.env.npm_lifecycle_event === "prestart" && existsSync(missing)) return;
  const reason = build();
  if (reason === null) return rmSync(missing, { force: true });
  if (existsSync(missing) && readFileSync(missing, "utf8") === reason) return;
  writeFileSync(missing, reason);
  process.stderr.write(`${part} is left out: ${reason}; everything else works, and npm run build adds it later\n`);
}

/** The last line of what a failed command printed. */
export function lastLine(error) {
  return String(error.stderr || error.message)
    .trim()
    .split("\n")
    .at(-1);
}
