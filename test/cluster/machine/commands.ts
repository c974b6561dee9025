import { existsSync, rmSync } from "node:fs";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { addNode, PAUSE_IMAGE, removeNode, writeConfigs, writeKubeconfig } from "./configs.ts";
import { killContainers } from "./containers.ts";
import { apiserver, daemons, kruise } from "./daemons.ts";
import { buildPrograms } from "./install/build.ts";
import { pushPauseImage } from "./install/images.ts";
import { installKruise } from "./install/kruise.ts";
import { VERSIONS } from "./install/programs.ts";
import { at, DIR, KUBECONFIG, NODE, NODE_IP, PORT, REGISTRY } from "./layout.ts";
import { type Daemon, pidOf, READY_MS, settled, start, stop, until } from "./processes.ts";
import { stopSecondNode } from "./second-node.ts";
import { refuseUnclaimedServices, routeUnclaimedServices } from "./service-addresses.ts";
import { unmountState } from "./state.ts";

const say = (text: string) => process.stderr.write(`${text}\n`);

/** Starts what does not run yet; a second call changes nothing. */
export async function up(): Promise<void> {
  await buildPrograms(say);
  writeConfigs();
  addNode(NODE);
  refuseUnclaimedServices();
  for (const daemon of daemons) await bring(daemon);
  say(
    `cluster ready: Kubernetes ${VERSIONS.kubernetes}, OpenKruise ${VERSIONS.kruise}, kubeconfig ${KUBECONFIG}, registry ${REGISTRY}, redis 127.0.0.1:${PORT.redis}`,
  );
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

/** The Service `kubernetes` leads pods to the API server; with one server, no other part keeps its endpoints. */
async function publishApiServer(): Promise<void> {
  const kube = await KubeClient.connect(KUBECONFIG, "default");
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
  const kube = await KubeClient.connect(KUBECONFIG, "default");
  try {
    await installKruise(kube);
  } finally {
    kube.close();
  }
}

/** Stops what `up` started, by pid, and removes the state; built programs stay. */
export async function down(): Promise<void> {
  await stopSecondNode();
  for (const { name } of [...daemons].reverse()) {
    if (name === "containerd") killContainers(NODE);
    if (await stop(name)) say(`  ${name} stopped`);
  }
  killContainers(NODE);
  removeNode(NODE);
  routeUnclaimedServices();
  unmountState((mount) => say(`  ${mount} could not be unmounted`));
  rmSync(DIR, { recursive: true, force: true });
}

/** Says what runs; the exit code is 1 where something does not. */
export function status(): void {
  const rows = daemons.map(({ name }) => ({ name, pid: pidOf(name) }));
  process.stdout.write(`Kubernetes ${VERSIONS.kubernetes}, OpenKruise ${VERSIONS.kruise}\n`);
  for (const { name, pid } of rows) process.stdout.write(`${name.padEnd(24)}${pid ?? "-"}\n`);
  if (rows.every(({ pid }) => pid)) process.stdout.write(`export KUBECONFIG=${KUBECONFIG} BERTH_REGISTRY=${REGISTRY}\n`);
  else process.exitCode = 1;
}
