import type { Command } from "commander";
import { ManageClient } from "../manage-client.ts";
import { type Format, say } from "../output.ts";

export interface Globals {
  url: string;
  /** Presented to the pool manager and to routers. */
  key?: string;
  output: Format;
  quiet?: boolean;
  verbose?: boolean;
}

/** What every command gets: the API, the format, and a voice that `--quiet` silences. */
export function globals(command: Command): { api: ManageClient; format: Format; say: (text: string) => void; verbose: boolean } {
  const { url, key, output, quiet, verbose } = command.optsWithGlobals<Globals>();
  return { api: new ManageClient(url, key ?? null), format: output, say: quiet ? () => {} : say, verbose: verbose === true };
}
