import { posix } from "node:path";
import { packTar, unpackTar } from "modern-tar";
import { IMAGE_FILE } from "../../runtime-images/protocol/command-image.ts";
import { ENTRY_NAME } from "../../runtime-images/protocol/layer.ts";
import { FUNCTION_ROOT } from "../../runtime-images/protocol/messages.ts";
import { ManagerError } from "../errors.ts";

export interface LayerFile {
  /** Path below the function's directory, with forward slashes. */
  path: string;
  data: Uint8Array;
  /** If absent, the layer's mode. */
  mode?: number | undefined;
}

const MAX_FILES = 5_000;
/** Sizes in bytes of the two parts of a path in a tar header. */
const MAX_NAME = 100;
const MAX_PREFIX = 155;
/** Mode of executable files. */
const PROGRAM = 0o755;
/** Maximum number of characters of the upload that an error quotes. */
const MAX_QUOTE = 80;
const ENTRIES = ["index.mjs", "index.cjs", "index.js", "main.py", "app.py", "bootstrap"];

/**
 * The files of an uploaded tar. Throws `CODE_INVALID` for anything but regular files inside it
 * (links, devices, absolute paths, `..`), for duplicate paths and for a tar without an entry module.
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
    if (files.has(path)) throw bad(`${quote(path)} occurs twice`);
    if (path === IMAGE_FILE) throw bad(`${path} is a name of Berth's own`);
    files.set(path, { path, data: data ?? new Uint8Array(), mode: programMode(header.mode) });
  }
  if (files.size > MAX_FILES) throw bad(`${files.size} files, at most ${MAX_FILES} are accepted`);
  for (const path of files.keys()) checkParents(path, files);
  entryOf([...files.values()]);
  return [...files.values()];
}

/** The entry module of a function layer. Throws `CODE_INVALID` if it has none, or is not a layer. `root`: directory of its files. */
export async function entryOfLayer(layer: Uint8Array, root: string): Promise<string> {
  const entries = await unpackTar(layer, { strict: true }).catch((error: Error) => {
    throw bad(`it is not a tar: ${error.message}`);
  });
  return entryOf(entries.map(({ header, data }) => ({ path: posix.relative(root, header.name), data: data ?? new Uint8Array() })));
}

/** The entry module: the description of an image, or the one that `ENTRY_NAME` names, or the first of `ENTRIES`. */
export function entryOf(files: readonly LayerFile[]): string {
  if (files.length === 1 && files[0]?.path === IMAGE_FILE) return IMAGE_FILE;
  const named = files.find(({ path }) => path === ENTRY_NAME);
  const entries = named ? [Buffer.from(named.data).toString().trim()] : ENTRIES;
  const found = entries.find((name) => files.some((file) => file.path === name));
  if (!found && named) throw bad(`${ENTRY_NAME} names ${quote(entries[0] as string)}, which is not in the upload`);
  if (!found) throw bad(`none of ${ENTRIES.join(", ")} is at the top of the upload`);
  return found;
}

/** Packs files as an image layer. The same files give the same bytes, whatever their order or modification times. */
export function packLayer(files: readonly LayerFile[], prefix = "", mode = 0o644): Promise<Uint8Array> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return packTar(
    sorted.map((file) => ({
      header: { name: prefix + file.path, size: file.data.length, mode: file.mode ?? mode, mtime: new Date(0), uid: 0, gid: 0, type: "file" },
      body: file.data,
    })),
  );
}

/** Only whether a file is executable is kept of its mode. */
export function programMode(mode = 0): number | undefined {
  return mode & 0o111 ? PROGRAM : undefined;
}

function checkPath(name: string): string {
  const path = posix.normalize(name).replace(/^\.\//, "");
  const hostile = path.startsWith("/") || path.split("/").includes("..") || /[\0\\]/.test(path) || path === "." || path.endsWith("/");
  if (hostile) throw bad(`${quote(name)} is outside the upload, or is not a file name`);
  // A name that is not UTF-8 was decoded to a different one, which the function would not find.
  if (path.includes("\ufffd")) throw bad(`the name ${quote(path)} is not UTF-8`);
  if (!fitsHeader(`${FUNCTION_ROOT}/${path}`)) {
    throw bad(`the path ${quote(path)} is too long: a tar header holds ${MAX_NAME} bytes of a name and ${MAX_PREFIX} of its directories`);
  }
  return path;
}

/** A tar header (POSIX.1-1988) holds a path in two parts, divided at a slash; runtimes read no other form. */
function fitsHeader(path: string): boolean {
  const bytes = Buffer.from(path);
  if (bytes.length <= MAX_NAME) return true;
  const divided = bytes.indexOf("/", bytes.length - MAX_NAME - 1);
  return divided > 0 && divided <= MAX_PREFIX;
}

/** Throws `CODE_INVALID` if a file is below another file. */
function checkParents(path: string, files: ReadonlyMap<string, LayerFile>): void {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const parent = path.slice(0, at);
    if (files.has(parent)) throw bad(`${quote(parent)} is a file, and ${quote(path)} would be below it`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);
}

function bad(message: string): ManagerError {
  return new ManagerError("CODE_INVALID", message);
}
