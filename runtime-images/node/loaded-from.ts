import type { LoadSettings } from "../protocol/messages.ts";

/** The module to load, and how it is called. */
export interface LoadedFrom {
  file: string;
  functionName: string;
  revision: string;
  settings: LoadSettings;
  env: Record<string, string>;
}
