import { homedir } from "node:os";
import { join } from "node:path";

/** Everything that a cluster keeps: state, logs, sockets, credentials. Short, because it holds Unix sockets. */
export const DIR = process.env.BERTH_CLUSTER_DIR ?? "/var/lib/berth-cluster";
/** Binaries and images that outlive a cluster. */
export const CACHE = process.env.BERTH_CLUSTER_CACHE ?? join(homedir(), ".cache", "berth-cluster");

export const at = (...names: string[]) => join(DIR, ...names);

/** The addresses and directories of a node; the machine can be two nodes. */
export interface ClusterNode {
  name: string;
  /** A /32 on the loopback device, since a kubelet refuses 127.0.0.0/8. */
  ip: string;
  podCidr: string;
  bridge: string;
  /** The name of its CNI network; no name followed by a dash is the beginning of another. */
  network: string;
  /** A kubelet removes what it does not know below its own: "" is the hierarchy's root. */
  cgroup: string;
  /** The port of kruise-daemon. */
  port: number;
  /** Appended to the names of its daemons. */
  suffix: string;
}

export const NODE: ClusterNode = {
  name: "berth-node",
  ip: "10.99.0.1",
  podCidr: "10.98.0.0/16",
  bridge: "berth0",
  network: "berth",
  cgroup: "",
  port: 19879,
  suffix: "",
};

/** Started by those tests that need another node, and stopped by them. */
export const SECOND_NODE: ClusterNode = {
  name: "berth-node-2",
  ip: "10.99.0.2",
  podCidr: "10.96.0.0/16",
  bridge: "berth1",
  network: "berth2",
  cgroup: "berth-node-2",
  port: 19881,
  suffix: "-2",
};

export const NODE_IP = NODE.ip;
export const SERVICE_CIDR = "10.97.0.0/16";

export const PORT = {
  etcd: 12379,
  etcdPeer: 12380,
  api: 16443,
  registry: 15000,
  registryOfPods: 15001,
  redis: 16379,
  webhook: 19876,
  kruiseMetrics: 19877,
  kruiseHealth: 19878,
} as const;

export const REGISTRY = `127.0.0.1:${PORT.registry}`;
/** The same registry as pods reach it. */
export const REGISTRY_OF_PODS = `${NODE_IP}:${PORT.registryOfPods}`;
export const KUBECONFIG = at("kubeconfig");
/** The node's container runtime: its state, and its socket. */
export const containerdDir = ({ suffix }: ClusterNode) => at(`containerd${suffix}`);
export const containerdSocket = (node: ClusterNode) => join(containerdDir(node), "containerd.sock");
/** The path at which a node's kruise-daemon looks for the socket. */
export const daemonSocketDir = ({ name }: ClusterNode) => join("/hostvarrun", name);
