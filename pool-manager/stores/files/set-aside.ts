import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file of the state directory that could not be loaded. */
export interface SetAside {
  /** Path relative to the state directory, such as `functions/hello.yaml`. */
  file: string;
  /** Its new path; null: it could not be moved. */
  movedTo: string | null;
  reason: string;
}

/** Moves a damaged file into `set-aside/` beside its directory, so that the rest can be served and nothing is lost. */
export async function setAside(dir: string, name: string, reason: string): Promise<SetAside> {
  const file = `${basename(dir)}/${name}`;
  const to = join(dirname(dir), "set-aside");
  const movedTo = join(to, `${basename(dir)}-${name}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}`);
  try {
    await mkdir(to, { recursive: true, mode: 0o700 });
    await rename(join(dir, name), movedTo);
    return { file, movedTo, reason };
  } catch (error) {
    return { file, movedTo: null, reason: `${reason}; it could not be moved either: ${(error as Error).message}` };
  }
}

export function inWords({ file, movedTo, reason }: SetAside): string {
  return `${file} in the state directory cannot be read, and the rest is served without it: ${reason}; ${movedTo ? `it is now ${movedTo}` : "move it away"}`;
}
