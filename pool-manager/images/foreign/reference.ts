import { ManagerError } from "../../errors.ts";

/** Where an image without a registry is, as in other clients. */
const DOCKER_HUB = "docker.io";
/** The path of Docker Hub's own images. */
const LIBRARY = "library";
const LATEST = "latest";

const PART = "[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*";
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::\d{1,5})?$/;

/** An image in a registry. */
export interface ImageReference {
  /** `host[:port]`. */
  registry: string;
  /** Path below the registry. */
  name: string;
  /** Tag or digest. */
  version: string;
}

/** Parses `[registry/]name[:tag][@digest]`; a digest wins over a tag. Throws `IMAGE_INVALID`. */
export function parseReference(text: string): ImageReference {
  const invalid = (why: string) => new ManagerError("IMAGE_INVALID", `image: ${JSON.stringify(text.slice(0, 200))} ${why}`, "image");
  const [tagged = "", digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) throw invalid("has no digest of the form sha256: and 64 hexadecimal digits");
  const slash = tagged.indexOf("/");
  const first = slash < 0 ? "" : tagged.slice(0, slash);
  // As in other clients: a first part without a dot, a port or this name is a path on Docker Hub.
  const hasHost = /[.:]/.test(first) || first === "localhost";
  const registry = hasHost ? first : DOCKER_HUB;
  if (!HOST.test(registry)) throw invalid("does not begin with a registry such as registry.example.org:5000");
  const path = hasHost ? tagged.slice(slash + 1) : tagged;
  const colon = path.lastIndexOf(":");
  const [short, tag] = colon < 0 ? [path, undefined] : [path.slice(0, colon), path.slice(colon + 1)];
  const name = registry === DOCKER_HUB && !short.includes("/") ? `${LIBRARY}/${short}` : short;
  if (!NAME.test(name)) throw invalid("has no valid name: lower-case letters, digits, and . _ - / between them");
  if (tag !== undefined && !TAG.test(tag)) throw invalid("has no valid tag");
  return { registry, name, version: digest ?? tag ?? LATEST };
}

/** The same image by digest. */
export function byDigest({ registry, name }: ImageReference, digest: string): string {
  return `${registry}/${name}@${digest}`;
}

/** Whether it names its image for good. */
export function isPinned({ version }: ImageReference): boolean {
  return DIGEST.test(version);
}
