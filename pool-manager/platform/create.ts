import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { customWorker } from "../../runtime-images/custom/worker-command.ts";
import { FUNCTION_NODE, findNode } from "../../runtime-images/node/find-node.ts";
import type { WorkerCommand } from "../../runtime-images/protocol/worker.ts";
import { compileWorker } from "../../runtime-images/python/bytecode.ts";
import { pythonWorker } from "../../runtime-images/python/worker-command.ts";
import type { ResourceBounds } from "../functions/manifest/resources.ts";
import { NO_CLASSES, type SizeClasses } from "../functions/manifest/size-classes.ts";
import { ENTRY_PROGRAM } from "../images/code-images.ts";
import type { KubeClient } from "../kubernetes/client.ts";
import type { Connected, KruiseConfig } from "./kruise/connect.ts";
import { Cgroups } from "./local/cgroups.ts";
import { instanceDir } from "./local/instance-dir.ts";
import { LocalPlatform } from "./local/local.ts";
import { machineBounds } from "./local/machine-bounds.ts";
import type { Platform } from "./platform.ts";

export type PlatformConfig = { kind: "local"; keepNext?: boolean } | ({ kind: "kruise" } & KruiseConfig);

export interface PlatformSources {
  /** Root of the checkout. */
  root: string;
  stateDir: string;
  /** Reads a stored blob or manifest. */
  blob(digest: string): Promise<Uint8Array>;
  now(): number;
  onApiWrite(purpose: string): void;
  onApiWriteFailed(purpose: string, reason: string): void;
  /** URL at which other pool managers reach this one's API. */
  url: string;
  /** On a cluster: reports the current leader while this pool manager stands by; null: there is none yet. */
  onLeader(holder: string | null, url: string | null): void;
  /** Reports once that a step on the cluster fails and is being retried, and null once it works. */
  onTrouble(step: string, message: string | null): void;
  /** Called when another pool manager leads: this one must not act any more. */
  onLost(message: string): void;
  /** Ends the wait for leadership. */
  stop: AbortSignal;
}

export interface CreatedPlatform {
  platform: Platform;
  runtimes: string[];
  /** The rule by which a revision's instances come from a pool. */
  classes: SizeClasses;
  /** The most that a function can have; null: it is not known. */
  bounds: ResourceBounds | null;
  /** In words: what limits functions here. */
  limits: string;
  /** The version of CPython that functions run on, such as 3.11; null: the runtime python is not offered. */
  python: string | null;
  /** Why a runtime has no instances on this machine, by its name. On a cluster another pool manager may have created some. */
  unavailable: ReadonlyMap<string, string>;
  /** Features that this machine lacks and Berth does without; the log tells them once. */
  notes: string[];
  /** The leadership term that load orders carry. */
  term: number;
  /** The Kubernetes client, the code registry and the images of users; null: embedded. */
  cluster: Pick<Connected, "kube" | "code" | "foreign"> | null;
}

/** Creates the platform that the configuration names. The cluster's adapter is imported only if it is used: its client library is large. */
export async function createPlatform(config: PlatformConfig, sources: PlatformSources): Promise<CreatedPlatform> {
  const { root, stateDir, now } = sources;
  const runtimeDist = join(root, "runtime-images/node/dist");
  for (const name of ["supervisor.cjs", "compile.cjs"]) {
    if (!existsSync(join(runtimeDist, name))) throw new Error(`${join(runtimeDist, name)} is missing: run npm run build`);
  }
  const codeDir = join(stateDir, "code");
  const pythonDist = join(root, "runtime-images/python/dist");
  if (config.kind === "kruise") {
    const { connectKruise } = await import("./kruise/connect.ts");
    const entryProgram = join(root, ENTRY_PROGRAM);
    const { LeaderElection } = await import("./kruise/leader-election/leader-election.ts");
    const { highestTerm } = await import("./kruise/leader-election/terms.ts");
    const { blob, url, onLeader, onLost, onTrouble, onApiWrite: onWrite, onApiWriteFailed: onWriteFailed, stop } = sources;
    const holder = `${hostname()}-${randomBytes(4).toString("hex")}`;
    const listeners = { onLeader, onLost, onTrouble: (message: string | null) => onTrouble("leadership", message) };
    const lead = (kube: KubeClient, isFirst: () => boolean) =>
      LeaderElection.acquire({ kube, holder, url, highestTerm: () => highestTerm(kube), isFirst, ...listeners, stop });
    const connected = await connectKruise(config, { runtimeDist, pythonDist, entryProgram, codeDir, blob, now, onWrite, onWriteFailed, onTrouble, stop, lead });
    const { platform, kube, code, foreign, pythonVersion } = connected;
    const isOffered = typeof pythonVersion === "string";
    const notes = isOffered ? [] : [`the runtime python is not offered: ${pythonVersion.reason}`];
    return {
      platform,
      runtimes: connected.runtimes,
      python: isOffered ? pythonVersion : null,
      unavailable: new Map(),
      notes,
      classes: connected.classes,
      bounds: connected.support.bounds,
      limits: connected.support.summary,
      term: connected.lead.term,
      cluster: { kube, code, foreign },
    };
  }
  const supervisor = join(runtimeDist, "supervisor.cjs");
  const [node, python, limits] = await Promise.all([findNode(join(root, FUNCTION_NODE)), localPython(pythonDist), Cgroups.open()]);
  const notes = [];
  if (node.reason !== null) notes.push(`functions run on Node ${node.version} of this machine: ${node.reason}`);
  if (python.note !== null) notes.push(python.note);
  const custom = { supervisor, worker: customWorker(node.program, runtimeDist) };
  const runtimes = { node: { supervisor, worker: null }, custom, ...(python.worker && { python: { supervisor, worker: python.worker } }) };
  if (limits.cgroups === null || !limits.cgroups.tree.dirs.memory) notes.push(`limits of functions: ${limits.summary}`);
  const platform = new LocalPlatform({
    dir: instanceDir(stateDir),
    codeDir,
    node: node.program,
    keepNext: config.keepNext === true,
    compiler: join(runtimeDist, "compile.cjs"),
    runtimes,
    cgroups: limits.cgroups,
    now,
  });
  return {
    platform,
    runtimes: Object.keys(runtimes),
    python: python.version,
    unavailable: new Map(python.worker || !python.note ? [] : [["python", python.note]]),
    notes,
    classes: NO_CLASSES,
    bounds: machineBounds(),
    limits: limits.summary,
    term: 1,
    cluster: null,
  };
}

interface LocalPython {
  /** Null: the runtime python is not offered. */
  worker: WorkerCommand | null;
  version: string | null;
  /** Why it is not offered, or slower than it should be. */
  note: string | null;
}

/** Python on this machine; its worker is compiled for the machine's interpreter first, if that is not the one of the build. */
async function localPython(dist: string): Promise<LocalPython> {
  const found = await pythonWorker(dist);
  if (typeof found === "string") return { worker: null, version: null, note: `the runtime python is not offered: ${found}` };
  const { worker, python } = found;
  const reason = await compileWorker(dist, python);
  const note = reason && `instances of Python start slower: their worker could not be compiled for Python ${python.version}: ${reason}`;
  return { worker, version: python.version, note };
}
