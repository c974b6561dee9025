import type { Command } from "commander";
import { ManageClient } from "../manage-client.ts";
import { type Format, say } from "../output.ts";

export interface Globals {
  url: string;
  /** The API key for the pool manager and for routers. */
  key?: string;
  output: Format;
  quiet?: boolean;
  verbose?: boolean;
}

/** The global options of every command: the API client, the output format, and `say`, which `--quiet` silences. */
export function globals(command: Command): { api: ManageClient; format: Format; say: (text: string) => void; verbose: boolean } {
  const { url, key, output, quiet, verbose } = command.optsWithGlobals<Globals>();
  return { api: new ManageClient(url, key ?? null), format: output, say: quiet ? () => {} : say, verbose: verbose === true };
}
