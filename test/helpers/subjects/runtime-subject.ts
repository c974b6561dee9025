import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import type { RuntimeSubject, SampleName } from "../../../runtime-images/protocol/conformance/subject.ts";
import { killLeftBehind } from "../../../runtime-images/protocol/left-behind.ts";
import { WORKER_VARIABLE, type WorkerCommand } from "../../../runtime-images/protocol/worker.ts";

/** A language's side of the conformance suite. */
export interface Language {
  entry: string;
  /** Null: the worker beside the supervisor. */
  worker: WorkerCommand | null;
  samples: Record<SampleName, string>;
  /** The signature of the sample `event`. */
  eventSignature: string;
  settings?: RuntimeSubject["settings"];
}

/** Instances by uid; each has its own, as everywhere: what an instance leaves behind is found by it. */
const children = new Map<string, ChildProcess>();

/** Starts an instance of a runtime, as a platform does. `keepNext`: it keeps a worker for the next revision, as `berth dev` has it. */
export async function startSubject({ entry, worker, samples, eventSignature, settings }: Language, keepNext = false): Promise<RuntimeSubject> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const uid = randomUUID();
  const controlPath = join(dir, "control");
  const env = {
    PATH: process.env.PATH ?? "",
    BERTH_INSTANCE_UID: uid,
    BERTH_INSTANCE_DIR: dir,
    BERTH_CONTROL: controlPath,
    ...(keepNext && { BERTH_KEEP_NEXT: "1" }),
    ...(worker && { [WORKER_VARIABLE]: JSON.stringify(worker) }),
  };
  const child = spawn(process.execPath, ["runtime-images/node/dist/supervisor.cjs"], { env, detached: true, stdio: ["pipe", "pipe", "inherit"] });
  children.set(uid, child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const code = {} as RuntimeSubject["code"];
  for (const [name, text] of Object.entries(samples) as [SampleName, string][]) {
    code[name] = await packLayer([{ path: entry, data: new TextEncoder().encode(text), mode: text.startsWith("#!") ? 0o755 : undefined }], "function/");
  }
  return { control: controlPath, host: "127.0.0.1", code, entry, eventSignature, settings };
}

/** Process ids of the instances that run. */
export function supervisors(): number[] {
  return [...children.values()].flatMap(({ pid }) => pid ?? []);
}

/** Ends the process groups of all instances that were started, and what these have started in others. */
export function endSubjects(): void {
  for (const { pid, exitCode } of children.values()) if (pid && exitCode === null) process.kill(-pid, "SIGKILL");
  killLeftBehind(new Set(children.keys()));
  children.clear();
}
