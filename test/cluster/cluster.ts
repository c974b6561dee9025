import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { Kube } from "../../pool-manager/platform/kruise/kube.ts";
import { buildPrograms } from "./build.ts";
import { addNode, PAUSE_IMAGE, removeNode, writeConfigs, writeKubeconfig } from "./configs.ts";
import { killContainers } from "./containers.ts";
import { apiserver, daemons, kruise } from "./daemons.ts";
import { pushPauseImage } from "./images.ts";
import { installKruise } from "./kruise.ts";
import { at, DIR, KUBECONFIG, NODE, NODE_IP, PORT, REGISTRY } from "./layout.ts";
import { type Daemon, pidOf, READY_MS, settled, start, stop, until } from "./processes.ts";
import { stopSecondNode } from "./second-node.ts";

const STATE_SIZE = "8g";
const PROGRAMS = ["go", "containerd", "runc", "docker-registry", "redis-server", "iptables", "ip", "conntrack"];

const say = (text: string) => process.stderr.write(`${text}\n`);

/** `cluster up`: starts what does not run yet; a second call changes nothing. */
async function up(): Promise<void> {
  checkMachine();
  await buildPrograms(say);
  mountState();
  writeConfigs();
  addNode(NODE);
  for (const daemon of daemons) await bring(daemon);
  say(`cluster ready: kubeconfig ${KUBECONFIG}, registry ${REGISTRY}, redis 127.0.0.1:${PORT.redis}`);
}

async function bring(daemon: Daemon): Promise<void> {
  if (daemon === kruise && !pidOf(daemon.name)) await prepareKruise();
  const began = Date.now();
  if (!start(daemon)) return;
  if (daemon === apiserver) {
    await until(async () => existsSync(at("pki", "apiserver.crt")), READY_MS);
    writeKubeconfig();
  }
  await settled(daemon);
  if (daemon === apiserver) await publishApiServer();
  if (daemon.name === "registry") await pushPauseImage(REGISTRY, PAUSE_IMAGE);
  say(`  ${daemon.name} after ${Date.now() - began} ms`);
}

/** The Service `kubernetes` leads pods to the API server; with one server nobody else keeps its endpoints. */
async function publishApiServer(): Promise<void> {
  const kube = await Kube.connect(KUBECONFIG, "default");
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [NODE_IP], conditions: { ready: true } }],
    ports: [{ name: "https", port: PORT.api, protocol: "TCP" }],
  };
  try {
    await kube.patch("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", "apply", slice, "other", {
      fieldManager: "cluster",
      force: "true",
    });
  } finally {
    kube.close();
  }
}

async function prepareKruise(): Promise<void> {
  const kube = await Kube.connect(KUBECONFIG, "default");
  try {
    await installKruise(kube);
  } finally {
    kube.close();
  }
}

/** `cluster down`: stops what `up` started, by pid, and removes the state; built programs stay. */
async function down(): Promise<void> {
  await stopSecondNode();
  for (const { name } of [...daemons].reverse()) {
    if (name === "containerd") killContainers(NODE);
    if (await stop(name)) say(`  ${name} stopped`);
  }
  killContainers(NODE);
  removeNode(NODE);
  unmount();
  rmSync(DIR, { recursive: true, force: true });
}

function status(): void {
  const rows = daemons.map(({ name }) => ({ name, pid: pidOf(name) }));
  for (const { name, pid } of rows) process.stdout.write(`${name.padEnd(24)}${pid ?? "-"}\n`);
  if (rows.every(({ pid }) => pid)) process.stdout.write(`export KUBECONFIG=${KUBECONFIG} BERTH_REGISTRY=${REGISTRY}\n`);
  else process.exitCode = 1;
}

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

/** State in memory: a cluster that ends with the machine needs no disk, and writing back its layers took a tenth of each pod's start. */
function mountState(): void {
  mkdirSync(DIR, { recursive: true, mode: 0o700 });
  if (mounts().includes(DIR)) return;
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${STATE_SIZE},mode=0700`, "berth-cluster", DIR], { timeout: 10_000 });
}

function mounts(): string[] {
  const lines = readFileSync("/proc/mounts", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[1] ?? "");
}

function unmount(): void {
  const ours = mounts().filter((path) => path === DIR || path.startsWith(`${DIR}/`));
  for (const mount of ours.reverse()) {
    try {
      execFileSync("umount", ["-l", mount], { stdio: "ignore", timeout: 10_000 });
    } catch {
      say(`  ${mount} could not be unmounted`);
    }
  }
}

const commands: Record<string, () => void | Promise<void>> = { up, down, status };
const command = commands[process.argv[2] ?? ""];
try {
  if (!command) throw new Error("usage: cluster up | down | status");
  await command();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
