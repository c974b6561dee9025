import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { BIN } from "./install/programs.ts";
import { at, type ClusterNode, containerdDir, containerdSocket, KUBECONFIG, NODE, NODE_IP, PORT, REGISTRY, REGISTRY_OF_PODS, SERVICE_CIDR } from "./layout.ts";
import type { Daemon } from "./processes.ts";

const kubernetes = (name: string, args: string[], ready: () => Promise<boolean>): Daemon => ({ name, command: BIN.kubernetes, args: [name, ...args], ready });

export const etcd: Daemon = {
  name: "etcd",
  command: BIN.etcd,
  args: [
    `--data-dir=${at("etcd")}`,
    `--listen-client-urls=http://127.0.0.1:${PORT.etcd}`,
    `--advertise-client-urls=http://127.0.0.1:${PORT.etcd}`,
    `--listen-peer-urls=http://127.0.0.1:${PORT.etcdPeer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${PORT.etcdPeer}`,
    `--initial-cluster=default=http://127.0.0.1:${PORT.etcdPeer}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ],
  ready: async () => (await fetch(`http://127.0.0.1:${PORT.etcd}/health`)).ok,
};

export const apiserver = kubernetes(
  "kube-apiserver",
  [
    `--etcd-servers=http://127.0.0.1:${PORT.etcd}`,
    `--secure-port=${PORT.api}`,
    // Pods must reach it; other machines cannot.
    `--bind-address=${NODE_IP}`,
    `--advertise-address=${NODE_IP}`,
    "--endpoint-reconciler-type=none",
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    `--cert-dir=${at("pki")}`,
    `--token-auth-file=${at("pki", "tokens.csv")}`,
    `--service-account-key-file=${at("pki", "sa.pub")}`,
    `--service-account-signing-key-file=${at("pki", "sa.key")}`,
    "--service-account-issuer=https://berth.test",
    "--authorization-mode=RBAC",
    "--kubelet-preferred-address-types=InternalIP",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--v=0",
  ],
  async () => existsSync(KUBECONFIG) && Boolean(await read("/api/v1/namespaces/default")),
);

export const controllers = kubernetes(
  "kube-controller-manager",
  [
    `--kubeconfig=${KUBECONFIG}`,
    "--leader-elect=false",
    "--secure-port=0",
    `--service-account-private-key-file=${at("pki", "sa.key")}`,
    `--root-ca-file=${at("pki", "apiserver.crt")}`,
    "--use-service-account-credentials=false",
    `--cluster-cidr=${NODE.podCidr}`,
    "--allocate-node-cidrs=false",
    "--node-monitor-grace-period=40s",
  ],
  async () => true,
);

export const scheduler = kubernetes("kube-scheduler", [`--kubeconfig=${KUBECONFIG}`, "--leader-elect=false", "--secure-port=0"], async () => true);

export const proxy = kubernetes(
  "kube-proxy",
  [
    `--kubeconfig=${KUBECONFIG}`,
    `--hostname-override=${NODE.name}`,
    "--proxy-mode=iptables",
    `--cluster-cidr=${NODE.podCidr}`,
    "--conntrack-max-per-core=0",
    "--healthz-bind-address=",
    "--metrics-bind-address=127.0.0.1:19880",
  ],
  async () => true,
);

export const registry: Daemon = {
  name: "registry",
  command: "docker-registry",
  args: ["serve", at("registry", "config.yaml")],
  env: { OTEL_TRACES_EXPORTER: "none" },
  ready: async () => (await fetch(`http://${REGISTRY}/v2/`)).ok,
};

/** On the same files, under the address that pods can reach. */
const registryOfPods: Daemon = {
  ...registry,
  name: "registry-of-pods",
  args: ["serve", at("registry", "config-of-pods.yaml")],
  ready: async () => (await fetch(`http://${REGISTRY_OF_PODS}/v2/`)).ok,
};

export const redis: Daemon = {
  name: "redis",
  command: "redis-server",
  args: ["--port", String(PORT.redis), "--bind", "127.0.0.1", "--dir", at("redis"), "--save", ""],
  ready: () => connects(PORT.redis),
};

export const kruise: Daemon = {
  name: "kruise",
  command: BIN.kruise,
  args: [
    `--kubeconfig=${KUBECONFIG}`,
    "--enable-leader-election=false",
    `--metrics-addr=127.0.0.1:${PORT.kruiseMetrics}`,
    `--health-probe-addr=127.0.0.1:${PORT.kruiseHealth}`,
    "--enable-pprof=false",
    "--cloneset-workers=32",
    "--rest-config-qps=500",
    "--rest-config-burst=1000",
    // Its default of 30 s spares nodes that come and go; an ImagePullJob created before ends at once and downloads nothing.
    "--nodeimage-creation-delay=1s",
    `--protection-log-path=${at("kruise")}`,
    "--feature-gates=ImagePullJobGate=true,ResourcesDeletionProtection=true",
  ],
  env: { WEBHOOK_HOST: "127.0.0.1", WEBHOOK_PORT: String(PORT.webhook), WEBHOOK_CERT_DIR: at("webhook"), POD_NAMESPACE: "kruise-system" },
  ready: async () => (await fetch(`http://127.0.0.1:${PORT.kruiseHealth}/readyz`)).ok && (await connects(PORT.webhook)),
};

/** The daemons of each node, in the order of their start. */
export function nodeDaemons(node: ClusterNode): Record<"containerd" | "kubelet" | "kruiseDaemon", Daemon> {
  const { name, ip, port, suffix } = node;
  const kubeletDir = at(`kubelet${suffix}`);
  return {
    containerd: {
      name: `containerd${suffix}`,
      command: "containerd",
      args: ["--config", join(containerdDir(node), "config.toml"), "--log-level", "warn"],
      // A file that a former one has left is no answer: a kubelet that meets it ends at once.
      ready: () => connects(containerdSocket(node)),
    },
    kubelet: {
      name: `kubelet${suffix}`,
      command: BIN.kubernetes,
      args: [
        "kubelet",
        `--config=${join(kubeletDir, "config.yaml")}`,
        `--kubeconfig=${KUBECONFIG}`,
        `--root-dir=${join(kubeletDir, "root")}`,
        `--cert-dir=${join(kubeletDir, "pki")}`,
        `--hostname-override=${name}`,
        `--node-ip=${ip}`,
      ],
      ready: () => nodeReady(name),
    },
    kruiseDaemon: {
      name: `kruise-daemon${suffix}`,
      command: BIN.kruiseDaemon,
      args: [`--addr=127.0.0.1:${port}`, "--enable-pprof=false", `--socket-file=${name}/containerd.sock`],
      env: { KUBECONFIG, NODE_NAME: name, POD_NAMESPACE: "kruise-daemon-config" },
      ready: async () => Boolean(await read(`/apis/apps.kruise.io/v1alpha1/nodeimages/${name}`)),
    },
  };
}

export const { containerd, kubelet, kruiseDaemon } = nodeDaemons(NODE);

/** In the order of their start. */
export const daemons: Daemon[] = [etcd, apiserver, controllers, scheduler, containerd, registry, registryOfPods, redis, kubelet, proxy, kruise, kruiseDaemon];

function connects(to: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof to === "number" ? connect(to, "127.0.0.1") : connect(to);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

interface Node {
  status: { conditions?: { type: string; status: string }[] };
}

async function nodeReady(name: string): Promise<boolean> {
  const node = await read<Node>(`/api/v1/nodes/${name}`);
  return node.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

async function read<T>(path: string): Promise<T> {
  const kube = await KubeClient.connect(KUBECONFIG, "default");
  try {
    return await kube.get<T>(path);
  } finally {
    kube.close();
  }
}
