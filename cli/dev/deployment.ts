import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DeployAnswer } from "../../pool-manager/api/schemas/answers.ts";
import type { LinkedPackages } from "../bundle/python/linked-packages.ts";
import { uploadCode, type Wanted } from "../commands/deploy/code.ts";
import { readManifest } from "../commands/deploy/manifest-file.ts";
import { sent } from "../commands/deploy/release.ts";
import { readEnvFile, variablesOf } from "../commands/deploy/variables.ts";
import type { ManageClient } from "../manage-client.ts";

/** A function that waits at a breakpoint runs for as long as that. */
const INSPECTED = { timeout: "1h", loadTimeout: "5m" };

export interface Deployment {
  name: string;
  /** The directory of the code, and the code itself: the directory, or a file in it. */
  base: string;
  from: string;
  /** Files of variables, besides `.env`. */
  envFiles: readonly string[];
  env: Record<string, string>;
  secret: Record<string, string>;
  inspect: boolean;
  linked: LinkedPackages;
}

/** The files of variables of a deployment that exist or are named; a later one overrides an earlier one. */
export function variableFiles({ base, envFiles }: Pick<Deployment, "base" | "envFiles">): string[] {
  const beside = join(base, ".env");
  return [...(existsSync(beside) ? [beside] : []), ...envFiles];
}

/** How long the parts of a deployment took, in milliseconds. */
interface Sent {
  answer: DeployAnswer;
  bundleMs: number;
  deployMs: number;
}

/** Deploys the code as it is now. The older revision goes on until this one has loaded. */
export async function deployNow(
  api: ManageClient,
  deployment: Deployment,
  { onInputs, say }: { onInputs(files: readonly string[]): void; say(text: string): void },
): Promise<Sent> {
  const { name, from, env, secret, inspect, linked } = deployment;
  const startedAt = performance.now();
  const { settings, ...beside } = readManifest({ from });
  const { env: declared, secrets, rollout: _, warm: _warm, ...rest } = settings;
  let envFile = {};
  for (const file of variableFiles(deployment)) envFile = readEnvFile(file, envFile);
  const variables = variablesOf({ env, envFile, secret, unset: [] }, { env: declared, secrets }, null);
  const { runtime, command, concurrency } = rest as Partial<Wanted> & { concurrency?: number };
  const wanted = { runtime, command, hasConcurrency: concurrency !== undefined };
  const uploaded = await uploadCode(api, { ...beside, ...wanted, from, inspect, linked, onInputs, say });
  const manifest = {
    ...rest,
    ...(inspect && INSPECTED),
    // An instance is kept, since the next revision loads faster into it than into a new one.
    minScale: Math.max(1, Number(rest.minScale ?? 1)),
    env: { NODE_ENV: "development", ...variables.env },
    ...(variables.secrets && { secrets: variables.secrets }),
    ...uploaded,
  };
  const uploadedAt = performance.now();
  const answer = await sent(api, "PUT", name, { ...manifest, onceLoaded: true });
  return { answer, bundleMs: uploadedAt - startedAt, deployMs: performance.now() - uploadedAt };
}
