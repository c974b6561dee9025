import type { Command } from "commander";
import type { ManageClient } from "../../manage-client.ts";
import { duration } from "../../options/arguments.ts";
import type { FunctionView } from "./function-view.ts";
import { loaded } from "./loaded.ts";

/** How long a deployment waits for its revision to load, in milliseconds; false: it does not wait. */
export type Wait = number | false;

export function waitOptions(command: Command): Command {
  return command
    .option("--wait <duration>", "how long to wait until an instance has loaded the revision, which then takes over", duration(1), 120_000)
    .option("--no-wait", "let it take over at once, whether it loads or not");
}

interface Release {
  manifest: Record<string, unknown>;
  before: FunctionView | null;
  /** The percentage of invocations that the revision gets beside the active one. */
  canary: number | undefined;
  wait: Wait;
  say(text: string): void;
}

/** Deploys. A new revision gets invocations once it is loaded, or at once if `wait` is false. */
export async function released(api: ManageClient, name: string, { manifest, before, canary, wait, say }: Release): Promise<FunctionView> {
  const path = `/v1/functions/${encodeURIComponent(name)}`;
  const share = wait === false ? canary : canary && 0;
  const body = { ...manifest, onceLoaded: wait !== false, ...(share !== undefined && { canary: share }) };
  const result = (await api.call(before ? "PATCH" : "PUT", path, body)) as FunctionView;
  const revision = result.latest;
  if (wait === false || !(manifest.code || result.newRevision || revision !== before?.revision)) return result;
  const view = await loaded<FunctionView>(api, name, revision, { waitMs: wait, say }).catch(async (error) => {
    if (canary && revision !== result.revision) await api.call("PUT", `${path}/traffic`, { split: before?.split ?? {} });
    throw error;
  });
  const shared = canary && revision !== view.revision ? ((await api.call("PUT", `${path}/traffic`, { split: { [revision]: canary } })) as FunctionView) : view;
  return { ...shared, newRevision: result.newRevision ?? false };
}
