import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import type { RuntimeSubject, SampleName } from "../../../runtime-images/protocol/conformance/subject.ts";
import { WORKER_VARIABLE, type WorkerCommand } from "../../../runtime-images/protocol/worker.ts";

/** A language's side of the conformance suite. */
export interface Language {
  entry: string;
  /** Null: the worker beside the supervisor. */
  worker: WorkerCommand | null;
  samples: Record<SampleName, string>;
  /** The signature of the sample `event`. */
  eventSignature: string;
}

const children: ChildProcess[] = [];

/** Starts an instance of a runtime, as a platform does. */
export async function startSubject({ entry, worker, samples, eventSignature }: Language): Promise<RuntimeSubject> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const controlPath = join(dir, "control");
  const env = {
    PATH: process.env.PATH ?? "",
    BERTH_INSTANCE_UID: "i1",
    BERTH_INSTANCE_DIR: dir,
    BERTH_CONTROL: controlPath,
    ...(worker && { [WORKER_VARIABLE]: JSON.stringify(worker) }),
  };
  const child = spawn(process.execPath, ["runtime-images/node/dist/supervisor.cjs"], { env, detached: true, stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const code = {} as RuntimeSubject["code"];
  for (const [name, text] of Object.entries(samples) as [SampleName, string][]) {
    code[name] = await packLayer([{ path: entry, data: new TextEncoder().encode(text) }], "function/");
  }
  return { control: controlPath, host: "127.0.0.1", code, entry, eventSignature };
}

/** Ends the process groups of all instances that were started. */
export function endSubjects(): void {
  for (const { pid, exitCode } of children.splice(0)) if (pid && exitCode === null) process.kill(-pid, "SIGKILL");
}
