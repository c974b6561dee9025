import type { Command } from "commander";
import type { DeployAnswer, FunctionAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { functionPath, type ManageClient } from "../../manage-client.ts";
import { durationOption } from "../../options/arguments.ts";
import { loaded } from "./loaded.ts";

/** How long a deployment waits for its revision to load, in milliseconds; false: it does not wait. */
export type Wait = number | false;

export function waitOptions(command: Command): Command {
  return command
    .addOption(durationOption("--wait <duration>", "how long to wait until an instance has loaded the revision, which then takes over", 1, 120_000))
    .option("--no-wait", "let it take over at once, whether it loads or not");
}

interface Release {
  manifest: Record<string, unknown>;
  /** The function as it is deployed; null: it is not. */
  before: FunctionAnswer | null;
  /** The percentage of invocations that the revision gets beside the active one. */
  canary: number | undefined;
  wait: Wait;
  say(text: string): void;
}

/** Sends a deployment: all of a function's manifest (`PUT`), or a change of it (`PATCH`). */
export async function sent(api: ManageClient, method: "PUT" | "PATCH", name: string, body: Record<string, unknown>): Promise<DeployAnswer> {
  return (await api.call(method, functionPath(name), body)) as DeployAnswer;
}

/** Deploys. A new revision gets invocations once it is loaded, or at once if `wait` is false. */
export async function released(api: ManageClient, name: string, { manifest, before, canary, wait, say }: Release): Promise<DeployAnswer> {
  const traffic = async (change: Partial<Pick<FunctionAnswer, "split" | "minScales">>) =>
    (await api.call("PUT", `${functionPath(name)}/traffic`, change)) as FunctionAnswer;
  const share = wait === false ? canary : canary && 0;
  const body = { ...manifest, onceLoaded: wait !== false, ...(share !== undefined && { canary: share }) };
  const result = await sent(api, before ? "PATCH" : "PUT", name, body);
  const revision = result.latest;
  if (wait === false || !(manifest.code || result.newRevision || revision !== before?.revision)) return result;
  const view = await loaded(api, name, revision, { waitMs: wait, say }).catch(async (error) => {
    if (canary && revision !== result.revision) await traffic({ split: before?.split ?? {}, ...(before && { minScales: before.minScales }) });
    throw error;
  });
  const shared = canary && revision !== view.revision ? await traffic({ split: { [revision]: canary } }) : view;
  return { ...shared, newRevision: result.newRevision };
}
