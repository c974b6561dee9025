import { chmodSync } from "node:fs";
import { join } from "node:path";
import { bundleCustom } from "../../../cli/bundle/custom/bundle-custom.ts";
import { findCustomSource } from "../../../cli/bundle/custom/custom-source.ts";
import { ownMachine } from "../../../runtime-images/custom/executable.ts";
import type { TestBerth } from "../berth.ts";
import { directoryOf } from "../bundled.ts";

export interface CommandManifest {
  command?: string | string[];
  [field: string]: unknown;
}

/** Deploys directories with commands, and reads what the functions answer and log. `berth`: the running one, when they are called. */
export function customFunctions(berth: () => TestBerth) {
  return {
    /** Files that begin with `#!` are programs. */
    deploy: async (name: string, files: Record<string, string>, manifest: CommandManifest = {}): Promise<unknown> => {
      const dir = directoryOf(files);
      for (const [path, text] of Object.entries(files)) if (text.startsWith("#!")) chmodSync(join(dir, path), 0o755);
      const code = await berth().api.upload(await bundleCustom(findCustomSource(dir, manifest.command), [], ownMachine()));
      return berth().api.call("PUT", `/v1/functions/${name}`, { runtime: "custom", ...manifest, code });
    },
    answer: async (name: string, path = "", init: RequestInit = {}) => {
      const response = await berth().invoke(name, init, path);
      return { status: response.status, error: response.headers.get("x-berth-error"), headers: response.headers, text: await response.text() };
    },
    logs: async (name: string) => (await berth().api.get<{ items: { message: string; callId: string | null }[] }>(`/v1/functions/${name}/logs`)).items,
  };
}
