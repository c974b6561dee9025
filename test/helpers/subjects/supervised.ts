import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CONTROL_PORT } from "../../../runtime-images/protocol/messages.ts";
import { until } from "../berth.ts";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
/** Signs orders to the supervisors of this file. */
export const LEADER_KEY = privateKey;

let count = 0;
/** A loopback address without another listener: control has a fixed port. */
export function ownAddress(): string {
  return `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}.${++count}`;
}

/** A supervisor as it runs in a pod: control over TLS. */
export interface Supervised {
  child: ChildProcess;
  host: string;
  uid: string;
  /** The first line of its log, and the fingerprint in it. */
  line: string;
  fingerprint: string;
}

const running: ChildProcess[] = [];

export async function startSupervisor(uid: string, host = ownAddress()): Promise<Supervised> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const leaderKey = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const env = { PATH: process.env.PATH ?? "", BERTH_INSTANCE_UID: uid, BERTH_INSTANCE_DIR: dir, BERTH_HOST: host, BERTH_LEADER_KEY: leaderKey };
  const child = spawn(process.execPath, ["runtime-images/node/dist/supervisor.cjs"], { env, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  await until(() => accepts(host), "control is listened on");
  return { child, host, uid, line, fingerprint: line.split(" ")[1] ?? "" };
}

function accepts(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(CONTROL_PORT, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Ends their process groups, stopped ones too. */
export function endSupervisors(): void {
  for (const { pid, exitCode, signalCode } of running.splice(0)) {
    if (pid && exitCode === null && signalCode === null) process.kill(-pid, "SIGKILL");
  }
}
