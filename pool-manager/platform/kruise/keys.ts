import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { exportPublicKey, importPrivateKey } from "../../../runtime-images/protocol/signature.ts";
import type { Kube } from "./kube.ts";
import type { KubeError } from "./kube-error.ts";

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
  data: Record<string, string>;
}

/** The keys of the namespace; the first pool manager makes them. */
export async function loadKeys(kube: Kube): Promise<ClusterKeys> {
  const path = `/api/v1/namespaces/${kube.namespace}/secrets`;
  const read = async () => keysOf(await kube.get<Secret>(`${path}/${SECRET}`));
  try {
    return await read();
  } catch (error) {
    if ((error as KubeError).status !== 404) throw error;
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  const stringData = { signing: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), instances: randomBytes(32).toString("base64") };
  await kube.create(path, { metadata: { name: SECRET }, type: "Opaque", stringData }).catch((error: KubeError) => {
    if (error.reason !== "AlreadyExists") throw error;
  });
  return read();
}

function keysOf({ data }: Secret): ClusterKeys {
  const text = (name: string) => Buffer.from(data[name] ?? "", "base64").toString("utf8");
  return new ClusterKeys(importPrivateKey(text("signing")), Buffer.from(text("instances"), "base64"));
}
