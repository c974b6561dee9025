import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";

export interface Identity {
  key: KeyObject;
  /** PEM. */
  cert: string;
  /** SHA-256 of the certificate as node:tls prints it: what a peer pins. */
  fingerprint: string;
}

const VALID_YEARS = 10;

/**
 * Creates a new key for each boot, and a self-signed version 1 certificate (RFC 5280) with it (Ed25519, RFC 8410). Peers
 * pin the certificate, and check nothing but its bytes. Node can read certificates but not create them, and a library
 * that can would slow down the start of every instance.
 */
export function createIdentity(): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const ed25519 = sequence(Buffer.from("06032b6570", "hex"));
  const name = sequence(der(0x31, sequence(Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from("berth")))));
  const year = new Date().getUTCFullYear();
  const validity = sequence(time(year - 1), time(year + VALID_YEARS));
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]));
  const body = sequence(serial, ed25519, name, validity, name, publicKey.export({ type: "spki", format: "der" }));
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign(null, body, privateKey)]));
  const certificate = new X509Certificate(sequence(body, ed25519, signature));
  return { key: privateKey, cert: certificate.toString(), fingerprint: certificate.fingerprint256 };
}

/** January 1 of a year, as GeneralizedTime. */
function time(year: number): Buffer {
  return der(0x18, Buffer.from(`${year}0101000000Z`));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** Tag, length, value (X.690). */
function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), value]);
}
