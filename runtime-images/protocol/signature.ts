import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** On every control request to an instance that is reached over the network. */
export const SIGNATURE_HEADER = "x-berth-signature";

/** What is signed: whom a request is for, what it asks, and the order that it carries (which names its code by digest). */
export interface Signed {
  uid: string;
  method: string;
  /** Path and query. */
  url: string;
  /** The order's JSON; empty: none. */
  order: string;
}

/** Ed25519 (RFC 8032), base64. */
export function signRequest(signed: Signed, key: KeyObject): string {
  return sign(null, bytesOf(signed), key).toString("base64");
}

export function verifyRequest(signed: Signed, signature: string, key: KeyObject): boolean {
  return verify(null, bytesOf(signed), key, Buffer.from(signature, "base64"));
}

/** A public key as it travels in the environment of instances: base64 of its DER form. */
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
