import { createHash } from "node:crypto";
import { ALL_ADDRESSES } from "../../../../runtime-images/protocol/listen-host.ts";
import { CONTROL_PORT } from "../../../../runtime-images/protocol/messages.ts";
import { WORKER_VARIABLE, type WorkerCommand } from "../../../../runtime-images/protocol/worker.ts";
import { classIn } from "../../../functions/manifest/size-classes.ts";
import { RUN_AS } from "../../../images/runtime-image.ts";
import type { OwnerReference } from "../../../kubernetes/objects.ts";
import { PlatformError } from "../../platform.ts";
import { DELETE_PROTECTION, PROTECTED } from "../disruption/budgets.ts";
import { ANNOTATION, type CloneSet, CODE_CONTAINER, LABEL, type Pod, RUNTIME_CONTAINER } from "../objects/objects.ts";
import { type PodTemplate, poolSetNameOf } from "../objects/template.ts";
import type { PodResources } from "../resources/pod-resources.ts";
import { UPDATE_STRATEGY } from "./update-strategy.ts";

/** The parts that the pods of one runtime are created from. */
export interface PodRuntime {
  image: string;
  /** How the supervisor starts workers; null: those of Node beside it. */
  worker: WorkerCommand | null;
  /** Whether the programs of users' images run in the code container: they get the memory of an instance, and a directory for files. */
  runsImages?: boolean;
}

/** The parts that the pods of one pool are created from. */
export interface PodPool extends PodRuntime {
  /** Of the runtime container while it has no function. */
  resources: PodResources;
}

/** The settings that pods are created from. */
export interface PodSettings {
  /** By name of the pool. */
  pools: Readonly<Record<string, PodPool>>;
  idleImage: string;
  /** The leader's public key, with which instances verify load orders. */
  leaderKey: string;
  /** Limit of an instance's use of its node's disk; an instance above it is evicted. */
  disk: string;
  /** Name of the image pull Secret; null: none. */
  pullSecret: string | null;
}

const VOLUME = "berth";
const MOUNT = "/berth";
/** The volume that programs of images may write. */
const FILES = "files";
/** The nodes that the programs in the images are built for. */
const NODES = { "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" };
/** The supervisor ends two seconds after SIGTERM. */
const GRACE_SECONDS = 5;
/**
 * Images are referenced by digest, so a node that has one need not ask the registry, which may be unreachable. Kruise's
 * default is Always (measured with 1.9.1).
 */
const imagePullPolicy = "IfNotPresent";

/** The present templates by pool. */
export function templatesOf(settings: PodSettings): ReadonlyMap<string, PodTemplate> {
  return new Map(Object.keys(settings.pools).map((pool) => [pool, templateOf(pool, settings)]));
}

/** Throws `UNSUPPORTED` for a pool whose runtime has no image here. */
function templateOf(pool: string, settings: PodSettings): PodTemplate {
  const spec = JSON.stringify(podSpec(pool, settings, settings.idleImage));
  return { hash: createHash("sha256").update(spec).digest("hex").slice(0, 8), runtimeImage: podPoolOf(pool, settings).image };
}

/** Throws `UNSUPPORTED`. */
export function poolSetName(pool: string, settings: PodSettings): string {
  return poolSetNameOf(pool, templateOf(pool, settings).hash);
}

function podPoolOf(pool: string, { pools }: PodSettings): PodPool {
  const found = pools[pool];
  if (!found) throw new PlatformError("UNSUPPORTED", `neither a runtime with an image here nor a size class has the pool ${pool}`);
  return found;
}

/** A function has a CloneSet for each pool that its instances come from: the pods of one have one template. */
export function functionSetName(functionUid: string, pool: string): string {
  const sizeClass = classIn(pool);
  return `fn-${functionUid.toLowerCase()}${sizeClass === null ? "" : `-${sizeClass}`}`;
}

export function poolSet(pool: string, settings: PodSettings): object {
  const { hash } = templateOf(pool, settings);
  return cloneSet(poolSetNameOf(pool, hash), { [LABEL.pool]: pool }, podSpec(pool, settings, settings.idleImage), { [LABEL.template]: hash });
}

/** A function's CloneSet, in which Kruise neither creates pods (maxUnavailable 0) nor updates them (`UPDATE_STRATEGY`): Berth does both. */
export function functionSet(functionUid: string, pool: string, settings: PodSettings, codeImage: string): object {
  const labels = { [LABEL.pool]: pool, [LABEL.function]: functionUid };
  return cloneSet(functionSetName(functionUid, pool), labels, podSpec(pool, settings, codeImage), {}, { [LABEL.template]: templateOf(pool, settings).hash });
}

function cloneSet(
  name: string,
  labels: Record<string, string>,
  spec: object,
  podLabels: Record<string, string> = {},
  setLabels: Record<string, string> = {},
): object {
  return {
    apiVersion: "apps.kruise.io/v1alpha1",
    kind: "CloneSet",
    metadata: { name, labels: { ...labels, ...setLabels, ...DELETE_PROTECTION }, annotations: { [ANNOTATION.term]: "0" } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { [LABEL.set]: name } },
      revisionHistoryLimit: 1000,
      scaleStrategy: { maxUnavailable: 0, podsToDelete: [] },
      updateStrategy: { ...UPDATE_STRATEGY, partition: "100%" },
      template: { metadata: { labels: { ...labels, ...podLabels, [LABEL.set]: name } }, spec },
    },
  };
}

function podSpec(pool: string, settings: PodSettings, codeImage: string): object {
  const { leaderKey, disk, pullSecret } = settings;
  const { image, worker, runsImages = false, resources } = podPoolOf(pool, settings);
  const mounts = [{ name: VOLUME, mountPath: MOUNT }];
  const confined = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } };
  const env = [
    { name: "BERTH_INSTANCE_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
    { name: "BERTH_INSTANCE_DIR", value: `${MOUNT}/run` },
    { name: "BERTH_HOST", value: ALL_ADDRESSES },
    { name: "BERTH_LEADER_KEY", value: leaderKey },
    ...(worker ? [{ name: WORKER_VARIABLE, value: JSON.stringify(worker) }] : []),
  ];
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    nodeSelector: NODES,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: { runAsNonRoot: true, runAsUser: RUN_AS, runAsGroup: RUN_AS, fsGroup: RUN_AS, seccompProfile: { type: "RuntimeDefault" } },
    ...(pullSecret && { imagePullSecrets: [{ name: pullSecret }] }),
    volumes: [VOLUME, ...(runsImages ? [FILES] : [])].map((name) => ({ name, emptyDir: { sizeLimit: disk } })),
    containers: [
      {
        name: RUNTIME_CONTAINER,
        image,
        imagePullPolicy,
        env,
        ports: [{ name: "control", containerPort: CONTROL_PORT }],
        resources,
        volumeMounts: mounts,
        securityContext: confined,
      },
      {
        name: CODE_CONTAINER,
        image: codeImage,
        imagePullPolicy,
        resources: { requests: { cpu: "1m", memory: "1Mi" }, limits: { memory: runsImages ? resources.limits.memory : "64Mi" } },
        volumeMounts: [...mounts, ...(runsImages ? [{ name: FILES, mountPath: "/tmp" }] : [])],
        securityContext: confined,
      },
    ],
  };
}

export interface Claim {
  functionUid: string;
  revision: string;
  /** Image reference with a tag that this pod has not run yet, and digest. */
  image: string;
  /** Digest of the image; a pod whose code container already has it is not swapped. */
  digest: string;
  term: number;
  fingerprint: string;
  /** Hash of the present template if the pod was created from it; null: from another one, or unknown. */
  template: string | null;
}

/** Swaps the code image of a pod that already belongs to the function: at once, before Kruise has observed the new template. */
export function swapPatch(pod: Pod, claim: Claim): object {
  const { uid, resourceVersion } = pod.metadata;
  return { metadata: { uid, resourceVersion, annotations: annotationsOf(claim) }, ...imageOf(pod, claim) };
}

/** Labels a pod with the CloneSet's update revision if `isReleased`, else with its current revision: Kruise counts by these labels, not by the image. */
export function revisionPatch(pod: Pod, set: CloneSet, isReleased: boolean, term: number): object {
  const { uid, resourceVersion } = pod.metadata;
  return { metadata: { uid, resourceVersion, labels: revisionLabels(set, isReleased), annotations: { [ANNOTATION.term]: String(term) } } };
}

/**
 * Moves a pod to a function's CloneSet and swaps its code image, in one strategic-merge PATCH that fails if the pod has
 * changed meanwhile (measured: Kruise adopts the pod without any other write).
 */
export function claimPatch(pod: Pod, set: CloneSet, isReleased: boolean, claim: Claim): object {
  const owner: OwnerReference = {
    apiVersion: "apps.kruise.io/v1alpha1",
    kind: "CloneSet",
    name: set.metadata.name,
    uid: set.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    metadata: {
      uid: pod.metadata.uid,
      resourceVersion: pod.metadata.resourceVersion,
      ownerReferences: [{ $patch: "replace" }, owner],
      labels: {
        [LABEL.function]: claim.functionUid,
        [LABEL.set]: set.metadata.name,
        ...(claim.template && { [LABEL.template]: claim.template }),
        ...revisionLabels(set, isReleased),
      },
      annotations: { ...annotationsOf(claim), ...PROTECTED },
    },
    ...imageOf(pod, claim),
  };
}

/** Once a release is over (partition 0), every pod gets the update revision: one without it would make the release look unfinished. */
function revisionLabels({ spec, status }: CloneSet, isReleased: boolean): Record<string, string> {
  const isOver = spec.updateStrategy?.partition === 0;
  const hash = (isReleased || isOver ? status?.updateRevision : status?.currentRevision) ?? "";
  return { "controller-revision-hash": hash, "pod-template-hash": hash.split("-").at(-1) ?? "" };
}

function annotationsOf(claim: Claim): Record<string, string> {
  return {
    [ANNOTATION.revision]: claim.revision,
    [ANNOTATION.image]: claim.digest,
    [ANNOTATION.term]: String(claim.term),
    [ANNOTATION.fingerprint]: claim.fingerprint,
  };
}

function imageOf(pod: Pod, { digest, image }: Claim): object {
  return runs(pod, digest) ? {} : { spec: { containers: [{ name: CODE_CONTAINER, image }] } };
}

function runs(pod: Pod, digest: string): boolean {
  return pod.spec.containers.some(({ name, image }) => name === CODE_CONTAINER && image.endsWith(`@${digest}`));
}
