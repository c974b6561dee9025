import { existsSync } from "node:fs";
import { choose } from "./machine/install/versions.ts";
import { mountState } from "./machine/state.ts";

const USAGE = "usage: cluster up [--kubernetes V] [--kruise V] | down | status";
const PROGRAMS = ["go", "containerd", "runc", "docker-registry", "redis-server", "iptables", "ip", "conntrack"];

function checkMachine(): void {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error("the cluster needs Linux and root: it runs a kubelet and containerd. Elsewhere use a cluster of your own with KUBECONFIG.");
  }
  const missing = PROGRAMS.filter((name) => !(process.env.PATH ?? "").split(":").some((dir) => existsSync(`${dir}/${name}`)));
  if (missing.length === 0) return;
  throw new Error(
    `missing: ${missing.join(", ")}. On Debian: apt-get install containerd runc containernetworking-plugins docker-registry redis-server iptables iproute2 conntrack; Go from https://go.dev/dl`,
  );
}

const [name = "", ...args] = process.argv.slice(2);
try {
  if (!["up", "down", "status"].includes(name)) throw new Error(USAGE);
  if (name === "up") {
    checkMachine();
    mountState();
    choose(args);
  }
  // Only modules that are imported now use the chosen versions.
  const commands: Record<string, () => void | Promise<void>> = { ...(await import("./machine/commands.ts")) };
  await commands[name]?.();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
