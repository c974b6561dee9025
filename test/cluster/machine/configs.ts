import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { stringify } from "yaml";
import { removeCgroup } from "../../../runtime-images/cgroups/remove.ts";
import { VERSIONS } from "./install/programs.ts";
import { minorOf } from "./install/versions.ts";
import { at, type ClusterNode, containerdDir, containerdSocket, daemonSocketDir, KUBECONFIG, NODE_IP, PORT, REGISTRY, REGISTRY_OF_PODS } from "./layout.ts";

/** The image that holds a pod's network: the entry program, which only waits. */
export const PAUSE_IMAGE = `${REGISTRY}/berth/pause:1`;
export const ADMIN_TOKEN = "berth-cluster-admin";
/** The directory in which CNI records what it has set up, including the network namespaces of killed pods. */
const CNI_RESULTS = "/var/lib/cni/results";
/** Each controller's hierarchy. */
const CGROUPS = "/sys/fs/cgroup";

/** Writes every configuration file; the same content each time but for keys, which are made once. */
export function writeConfigs(): void {
  for (const dir of ["pki", "etcd", "registry", "redis", "kruise", "webhook"]) mkdirSync(at(dir), { recursive: true, mode: 0o700 });
  serviceAccountKeys();
  write(at("pki", "tokens.csv"), `${ADMIN_TOKEN},admin,admin,system:masters\n`);
  write(at("registry", "config.yaml"), stringify(registryConfig(REGISTRY)));
  write(at("registry", "config-of-pods.yaml"), stringify(registryConfig(REGISTRY_OF_PODS)));
}

/** The same of one node, whose address lives on the loopback device: it is ours alone and leaves with `removeNode`. */
export function addNode(node: ClusterNode): void {
  const { ip, suffix } = node;
  for (const dir of [containerdDir(node), at(`kubelet${suffix}`), at(`cni${suffix}`)]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  write(join(containerdDir(node), "config.toml"), containerdConfig(node));
  write(at(`cni${suffix}`, "10-berth.conflist"), JSON.stringify(cniConfig(node)));
  write(at(`kubelet${suffix}`, "config.yaml"), stringify(kubeletConfig(node)));
  linkDaemonSocket(node);
  for (const path of cgroupsOf(node)) mkdirSync(path, { recursive: true });
  ipCommand("address", "replace", `${ip}/32`, "dev", "lo");
}

/** When nothing of it runs any more. */
export function removeNode(node: ClusterNode): void {
  const { ip, network, bridge } = node;
  for (const name of existsSync(CNI_RESULTS) ? readdirSync(CNI_RESULTS) : []) {
    if (!name.startsWith(`${network}-`)) continue;
    const { result } = JSON.parse(readFileSync(join(CNI_RESULTS, name), "utf8")) as { result?: { interfaces?: { sandbox?: string }[] } };
    for (const { sandbox } of result?.interfaces ?? []) if (sandbox) ipCommand("netns", "delete", basename(sandbox));
    rmSync(join(CNI_RESULTS, name));
  }
  ipCommand("address", "del", `${ip}/32`, "dev", "lo");
  ipCommand("link", "del", bridge);
  rmSync(daemonSocketDir(node), { recursive: true, force: true });
  // One that still holds a process stays: it is about to end.
  for (const path of cgroupsOf(node)) removeCgroup(path);
}

/** The file is written after the API server has made its own certificate. It gives the rights of the cluster's administrator. */
export function writeKubeconfig(): void {
  const cluster = { server: `https://${NODE_IP}:${PORT.api}`, "certificate-authority": at("pki", "apiserver.crt") };
  const named = (name: string, kind: string, value: object) => [{ name, [kind]: value }];
  write(
    KUBECONFIG,
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: named("berth", "cluster", cluster),
      users: named("admin", "user", { token: ADMIN_TOKEN }),
      contexts: named("berth", "context", { cluster: "berth", user: "admin" }),
      "current-context": "berth",
    }),
  );
}

function ipCommand(...args: string[]): void {
  try {
    execFileSync("ip", args, { stdio: "ignore", timeout: 10_000 });
  } catch {
    // Gone already.
  }
}

/** A kubelet requires its root to exist in every hierarchy. */
function cgroupsOf({ cgroup }: ClusterNode): string[] {
  if (!cgroup) return [];
  const unified = existsSync(join(CGROUPS, "cgroup.controllers"));
  const hierarchies = unified ? ["."] : readdirSync(CGROUPS).filter((name) => lstatSync(join(CGROUPS, name)).isDirectory());
  return hierarchies.map((name) => join(CGROUPS, name, cgroup));
}

function write(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

function serviceAccountKeys(): void {
  if (existsSync(at("pki", "sa.key"))) return;
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  write(at("pki", "sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }).toString());
  write(at("pki", "sa.pub"), publicKey.export({ type: "spki", format: "pem" }).toString());
}

function linkDaemonSocket(node: ClusterNode): void {
  const dir = daemonSocketDir(node);
  mkdirSync(dir, { recursive: true });
  const link = join(dir, "containerd.sock");
  if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(containerdSocket(node), link);
}

function containerdConfig(node: ClusterNode): string {
  return `version = 2
root = "${containerdDir(node)}/root"
state = "${containerdDir(node)}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "${containerdSocket(node)}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${at(`cni${node.suffix}`)}"
`;
}

function cniConfig({ suffix, podCidr, bridge: name, network }: ClusterNode): object {
  const ipam = { type: "host-local", dataDir: at(`cni${suffix}`, "leases"), ranges: [[{ subnet: podCidr }]], routes: [{ dst: "0.0.0.0/0" }] };
  const bridge = { type: "bridge", bridge: name, isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  return { cniVersion: "1.0.0", name: network, plugins: [bridge] };
}

function kubeletConfig(node: ClusterNode): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: node.ip,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    cgroupDriver: "cgroupfs",
    cgroupRoot: node.cgroup && `/${node.cgroup}`,
    // A kubelet removes logs of pods that it does not know: those of the other node on this machine.
    podLogsDir: at(`pod-logs${node.suffix}`),
    containerRuntimeEndpoint: `unix://${containerdSocket(node)}`,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    // Since 1.35 a kubelet asks for it where the machine has the first version of cgroups; 1.30 does not know it.
    ...(minorOf(VERSIONS.kubernetes) !== "1.30" && { failCgroupV1: false }),
    serializeImagePulls: false,
    resolvConf: "",
    healthzPort: 0,
    maxPods: 400,
    podPidsLimit: 512,
    registryPullQPS: 0,
    eventRecordQPS: 1,
    eventBurst: 5,
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%" },
    imageMinimumGCAge: "1h",
  };
}

function registryConfig(addr: string): object {
  return {
    version: "0.1",
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: at("registry", "data") }, delete: { enabled: true } },
    http: { addr, secret: "one for both, since an upload may begin at either" },
  };
}
