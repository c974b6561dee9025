import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { exportPublicKey, importPrivateKey } from "../../../runtime-images/protocol/signature.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/error.ts";
import { PersistentWrite } from "../../kubernetes/persistent-write.ts";

const SECRET = "berth-keys";
/** The leader looks whether they are still there. */
const KEEP_EVERY_MS = 5000;

/** What all pool managers of a namespace share. */
export class ClusterKeys {
  /** Signs load orders. */
  readonly signing: KeyObject;
  /** Its public half, as instances know it. */
  readonly leaderKey: string;
  readonly #secret: Buffer;

  constructor(signing: KeyObject, secret: Buffer) {
    this.signing = signing;
    this.leaderKey = exportPublicKey(signing);
    this.#secret = secret;
  }

  /** What routers present to an instance: its own for each boot, and derived, so that a new leader need not ask for it. */
  instanceKey(uid: string, bootId: string): string {
    return createHmac("sha256", this.#secret).update(`${uid}\n${bootId}`).digest("base64url");
  }

  /** As the Secret has them. */
  get stringData(): Record<string, string> {
    return { signing: this.signing.export({ type: "pkcs8", format: "pem" }).toString(), instances: this.#secret.toString("base64") };
  }

  equals(other: ClusterKeys): boolean {
    return this.leaderKey === other.leaderKey && this.#secret.equals(other.#secret);
  }
}

interface Secret {
  data?: Record<string, string>;
}

/** The keys of a namespace. */
export interface LoadedKeys {
  keys: ClusterKeys;
  /** When this pool manager began to make them, by the clock of `performance.now`; null: another one has, and may have led since. */
  madeAt: number | null;
}

/** Reads the keys of the namespace; the first pool manager makes them. */
export async function loadKeys(kube: Pick<KubeClient, "namespace" | "get" | "create">): Promise<LoadedKeys> {
  const read = () => readKeys(kube);
  try {
    return { keys: await read(), madeAt: null };
  } catch (error) {
    if ((error as KubeError).status !== 404) throw error;
  }
  const madeAt = performance.now();
  try {
    await createKeys(kube, new ClusterKeys(generateKeyPairSync("ed25519").privateKey, randomBytes(32)));
  } catch (error) {
    if ((error as KubeError).reason !== "AlreadyExists") throw error;
    return { keys: await read(), madeAt: null };
  }
  return { keys: await read(), madeAt };
}

/** The keys as the Secret has them now: another pool manager may have put others back since. As they are known, where it is gone or not to be read. */
export async function presentKeys(kube: Pick<KubeClient, "namespace" | "get">, known: ClusterKeys): Promise<ClusterKeys> {
  // Whether it can be read or not, its leader writes it again.
  return readKeys(kube).catch(() => known);
}

/**
 * Keeps the Secret for as long as this pool manager leads: instances know these keys and no others, and whoever leads
 * next has to have them. A Secret that is gone or broken is written again; other keys in it are told. Returns what ends it.
 */
export function keepKeys(
  kube: Pick<KubeClient, "namespace" | "get" | "create" | "patch">,
  keys: ClusterKeys,
  onTrouble: (message: string | null) => void,
): () => void {
  const kept = new PersistentWrite(() => putBack(kube, keys), onTrouble, KEEP_EVERY_MS);
  return () => kept.close();
}

async function putBack(kube: Pick<KubeClient, "namespace" | "get" | "create" | "patch">, keys: ClusterKeys): Promise<void> {
  try {
    if (keys.equals(await readKeys(kube))) return;
  } catch (error) {
    const { status, reason } = error as KubeError;
    if (status === 404) return createKeys(kube, keys);
    if (reason !== "BadKeys") throw error;
    await kube.patch(pathOf(kube, SECRET), "merge", { stringData: keys.stringData });
    return;
  }
  const message = `the Secret ${SECRET} of namespace ${kube.namespace} holds other keys than the instances know: after a restart all of them would be replaced; restore it`;
  throw new KubeError(422, "OtherKeys", message);
}

async function readKeys(kube: Pick<KubeClient, "namespace" | "get">): Promise<ClusterKeys> {
  return keysOf(await kube.get<Secret>(pathOf(kube, SECRET)), kube.namespace);
}

async function createKeys(kube: Pick<KubeClient, "namespace" | "create">, { stringData }: ClusterKeys): Promise<void> {
  await kube.create(pathOf(kube), { metadata: { name: SECRET }, type: "Opaque", stringData });
}

function pathOf({ namespace }: Pick<KubeClient, "namespace">, name = ""): string {
  return `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;
}

function keysOf({ data = {} }: Secret, namespace: string): ClusterKeys {
  const text = (name: string) => Buffer.from(data[name] ?? "", "base64").toString("utf8");
  const secret = Buffer.from(text("instances"), "base64");
  try {
    if (secret.length === 0) throw new Error("it has no instances");
    return new ClusterKeys(importPrivateKey(text("signing")), secret);
  } catch (error) {
    const message = `the Secret ${SECRET} of namespace ${namespace} holds no keys of ours: ${(error as Error).message}; restore it, or delete it and every instance`;
    throw new KubeError(422, "BadKeys", message);
  }
}
