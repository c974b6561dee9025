import { posix } from "node:path";
import { packTar, unpackTar } from "modern-tar";
import { FUNCTION_ROOT } from "../../runtime-images/protocol/messages.ts";
import { ManagerError } from "../errors.ts";

export interface LayerFile {
  /** Path below the function's directory, with forward slashes. */
  path: string;
  data: Uint8Array;
  /** Left out: the layer's. */
  mode?: number | undefined;
}

const MAX_FILES = 5_000;
/** The two parts of a path in a tar header. Bytes. */
const MAX_NAME = 100;
const MAX_PREFIX = 155;
/** Mode of files that may be run. */
const PROGRAM = 0o755;
/** Of what was sent, in errors. Characters. */
const MAX_QUOTE = 80;
const ENTRIES = ["index.mjs", "index.cjs", "index.js"];

/**
 * The files of an uploaded tar. Throws `CODE_INVALID` for anything but plain files inside it
 * (links, devices, absolute paths, `..`), for two files of one name and for a tar without an entry module.
 */
export async function readUpload(tar: Uint8Array): Promise<LayerFile[]> {
  const entries = await unpackTar(tar, { strict: true }).catch((error: Error) => {
    throw bad(`the upload is not a tar: ${quote(error.message)}`);
  });
  const files = new Map<string, LayerFile>();
  for (const { header, data } of entries) {
    if (header.type === "directory") continue;
    if (header.type !== undefined && header.type !== "file") throw bad(`${quote(header.name)} is a ${header.type}`);
    const path = checkPath(header.name);
    if (files.has(path)) throw bad(`${quote(path)} is there twice`);
    files.set(path, { path, data: data ?? new Uint8Array(), mode: programMode(header.mode) });
  }
  if (files.size > MAX_FILES) throw bad(`${files.size} files, at most ${MAX_FILES} are accepted`);
  for (const path of files.keys()) checkParents(path, files);
  entryOf([...files.values()]);
  return [...files.values()];
}

/** The module that a function layer has; throws `CODE_INVALID` where it has none, or is no layer. `root`: directory of its files. */
export async function entryOfLayer(layer: Uint8Array, root: string): Promise<string> {
  const entries = await unpackTar(layer, { strict: true }).catch((error: Error) => {
    throw bad(`it is not a tar: ${error.message}`);
  });
  return entryOf(entries.map(({ header, data }) => ({ path: posix.relative(root, header.name), data: data ?? new Uint8Array() })));
}

/** The module that is loaded: the first of index.mjs, index.cjs, index.js. */
export function entryOf(files: readonly LayerFile[]): string {
  const found = ENTRIES.find((name) => files.some((file) => file.path === name));
  if (!found) throw bad(`none of ${ENTRIES.join(", ")} is at the top of the upload`);
  return found;
}

/** Packs files as an image layer: the same files give the same bytes, whatever their order or age. */
export function packLayer(files: readonly LayerFile[], prefix = "", mode = 0o644): Promise<Uint8Array> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return packTar(
    sorted.map((file) => ({
      header: { name: prefix + file.path, size: file.data.length, mode: file.mode ?? mode, mtime: new Date(0), uid: 0, gid: 0, type: "file" },
      body: file.data,
    })),
  );
}

/** What is kept of a file's mode: whether it may be run. */
export function programMode(mode = 0): number | undefined {
  return mode & 0o111 ? PROGRAM : undefined;
}

function checkPath(name: string): string {
  const path = posix.normalize(name).replace(/^\.\//, "");
  const hostile = path.startsWith("/") || path.split("/").includes("..") || /[\0\\]/.test(path) || path === "." || path.endsWith("/");
  if (hostile) throw bad(`${quote(name)} lies outside the upload, or is no name of a file`);
  // Where a name is not UTF-8 another one stands for it, and its function would look for the first.
  if (path.includes("\ufffd")) throw bad(`the name ${quote(path)} is not UTF-8`);
  if (!fitsHeader(`${FUNCTION_ROOT}/${path}`)) {
    throw bad(`the path ${quote(path)} is too long: a tar header holds ${MAX_NAME} bytes of a name and ${MAX_PREFIX} of its directories`);
  }
  return path;
}

/** A tar header holds a path in two parts, divided at a slash; runtimes read no other form (POSIX.1-1988). */
function fitsHeader(path: string): boolean {
  const bytes = Buffer.from(path);
  if (bytes.length <= MAX_NAME) return true;
  const divided = bytes.indexOf("/", bytes.length - MAX_NAME - 1);
  return divided > 0 && divided <= MAX_PREFIX;
}

/** A file system has no file below a file. */
function checkParents(path: string, files: ReadonlyMap<string, LayerFile>): void {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const parent = path.slice(0, at);
    if (files.has(parent)) throw bad(`${quote(parent)} is a file, and ${quote(path)} would lie below it`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);
}

function bad(message: string): ManagerError {
  return new ManagerError("CODE_INVALID", message);
}
