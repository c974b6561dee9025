import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { exportPublicKey, importPrivateKey } from "../../../runtime-images/protocol/signature.ts";
import type { Kube } from "./kube.ts";
import { KubeError } from "./kube-error.ts";

const SECRET = "berth-keys";

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
export async function loadKeys(kube: Pick<Kube, "namespace" | "get" | "create">): Promise<LoadedKeys> {
  const path = `/api/v1/namespaces/${kube.namespace}/secrets`;
  const read = async () => keysOf(await kube.get<Secret>(`${path}/${SECRET}`), kube.namespace);
  try {
    return { keys: await read(), madeAt: null };
  } catch (error) {
    if ((error as KubeError).status !== 404) throw error;
  }
  const madeAt = performance.now();
  const { privateKey } = generateKeyPairSync("ed25519");
  const stringData = { signing: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), instances: randomBytes(32).toString("base64") };
  try {
    await kube.create(path, { metadata: { name: SECRET }, type: "Opaque", stringData });
  } catch (error) {
    if ((error as KubeError).reason !== "AlreadyExists") throw error;
    return { keys: await read(), madeAt: null };
  }
  return { keys: await read(), madeAt };
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
