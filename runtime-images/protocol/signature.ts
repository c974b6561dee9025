import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** The header with the signature of a control request to an instance that is reached over the network. */
export const SIGNATURE_HEADER = "x-berth-signature";

/** The signed parts of a request: the instance, the route, and the order (which names its code by digest). */
export interface Signed {
  uid: string;
  method: string;
  /** Path and query. */
  url: string;
  /** The order's JSON; empty if there is none. */
  order: string;
}

/** Signs a request with Ed25519 (RFC 8032); returns base64. */
export function signRequest(signed: Signed, key: KeyObject): string {
  return sign(null, bytesOf(signed), key).toString("base64");
}

export function verifyRequest(signed: Signed, signature: string, key: KeyObject): boolean {
  return verify(null, bytesOf(signed), key, Buffer.from(signature, "base64"));
}

/** A public key as instances receive it in their environment: base64 of its SPKI DER form. */
export function exportPublicKey(key: KeyObject): string {
  return createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
}

export function importPublicKey(text: string): KeyObject {
  return createPublicKey({ key: Buffer.from(text, "base64"), type: "spki", format: "der" });
}

export function importPrivateKey(pem: string): KeyObject {
  return createPrivateKey(pem);
}

function bytesOf({ uid, method, url, order }: Signed): Buffer {
  return Buffer.from(`${uid}\n${method} ${url}\n${order}`);
}
