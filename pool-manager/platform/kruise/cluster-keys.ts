import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { exportPublicKey, importPrivateKey } from "../../../runtime-images/protocol/signature.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/error.ts";
import { PersistentWrite } from "../../kubernetes/persistent-write.ts";

const SECRET = "berth-keys";
/** How often the leader checks that the Secret still holds the keys. */
const KEEP_EVERY_MS = 5000;

/** The keys that all pool managers of a namespace share. */
export class ClusterKeys {
  /** Signs load orders. */
  readonly signing: KeyObject;
  /** The public half of `signing`; instances verify load orders with it. */
  readonly leaderKey: string;
  readonly #secret: Buffer;

  constructor(signing: KeyObject, secret: Buffer) {
    this.signing = signing;
    this.leaderKey = exportPublicKey(signing);
    this.#secret = secret;
  }

  /** The key that routers present to an instance: distinct for each boot, and derived, so that a new leader can compute it. */
  instanceKey(uid: string, bootId: string): string {
    return createHmac("sha256", this.#secret).update(`${uid}\n${bootId}`).digest("base64url");
  }

  /** The `stringData` of the Secret. */
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

export interface LoadedKeys {
  keys: ClusterKeys;
  /** When this pool manager began to create the keys (`performance.now`); null: another one did, and may have led since. */
  madeAt: number | null;
}

/** Reads the keys of the namespace, or creates them if there are none. */
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

/** Rereads the keys: another pool manager may have restored others since. Returns `known` if the Secret is gone or unreadable. */
export async function presentKeys(kube: Pick<KubeClient, "namespace" | "get">, known: ClusterKeys): Promise<ClusterKeys> {
  // `keepKeys` restores the Secret afterwards.
  return readKeys(kube).catch(() => known);
}

/**
 * Keeps the Secret intact while this pool manager leads: instances accept only these keys, and the next leader needs them.
 * A missing or broken Secret is restored; other keys in it are reported. Returns the function that ends this.
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
  const message = `the Secret ${SECRET} of namespace ${kube.namespace} does not hold the keys of the running instances: a restart would replace all of them; restore it`;
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
    if (secret.length === 0) throw new Error("its key `instances` is missing or empty");
    return new ClusterKeys(importPrivateKey(text("signing")), secret);
  } catch (error) {
    const message = `the Secret ${SECRET} of namespace ${namespace} holds no keys of Berth: ${(error as Error).message}; restore it, or delete it and every instance`;
    throw new KubeError(422, "BadKeys", message);
  }
}
