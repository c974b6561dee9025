import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { globSync } from "tinyglobby";
import { compileFiles } from "../../runtime-images/python/bytecode.ts";
import type { Python } from "../../runtime-images/python/find-python.ts";
import { pythonCommand } from "../../runtime-images/python/worker-command.ts";
import { keptLayer } from "./kept-layer.ts";
import type { LayerFile } from "./layer.ts";
import { digestOf } from "./oci.ts";
import { buildRuntimeImage, type Image, keptReadable, librariesOf, MODE, nodeProgram, PROGRAMS, packedLayer } from "./runtime-image.ts";

/** Label with the version of CPython, such as 3.11: packages are installed for it. */
export const PYTHON_LABEL = "dev.berth.python";
const HOME = "opt/python";
const PROGRAM = `${HOME}/bin/python3`;
const WORKER = `${PROGRAMS}/python`;
/** How the supervisor starts a worker in this image. */
export const PYTHON_COMMAND = pythonCommand(`/${PROGRAM}`, `/${WORKER}/main.py`);

const PROBE = `
import json, os, sys
try:
    import ssl
    where = ssl.get_default_verify_paths()
    authorities = [where.openssl_cafile, where.cafile]
except ImportError:
    authorities = []
print(json.dumps({
    "program": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "build": sys.version,
    "library": os.path.dirname(os.__file__),
    "authorities": authorities,
}))`;

interface Interpreter {
  program: string;
  /** As it prints its version, with the date of its build. */
  build: string;
  /** Directory of the standard library. */
  library: string;
  /** Where it looks for certificates of authorities, and where this machine has them; null: nowhere. */
  authorities: (string | null)[];
}

/** Files that no function imports: tests, the window toolkit, pip's own copy, static libraries; and packages of this machine. */
const LEFT_OUT = [
  "{site,dist}-packages/**",
  "{test,idlelib,tkinter,turtledemo,ensurepip,pydoc_data}/**",
  "**/{test,tests,__pycache__}/**",
  "config-*/**",
  "turtle.py",
  "lib-dynload/{_test,_xx,xx,_ctypes_test,_tkinter}*",
];
/** Libraries that wheels may link without bringing them (PEP 600), beside what Node and the interpreter link. */
const OF_WHEELS = ["libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2", "libnss_dns.so.2"];
const AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

const run = promisify(execFile);

/**
 * Builds the image of the Python runtime: that of Node, whose layers it shares, this machine's interpreter with its standard
 * library, and the worker. `python`: the interpreter; `workerDist`: what the build of the worker has left.
 */
export async function buildPythonImage(cacheDir: string, runtimeDist: string, python: Python, workerDist: string): Promise<Image> {
  const interpreter = await probe(python.program);
  const key = digestOf(Buffer.from(JSON.stringify(interpreter))).slice(7, 19);
  const kept = await keptLayer(join(cacheDir, `python-${python.version}-${key}.tar.gz`), MODE, () => interpreterFiles(interpreter, nodeProgram(cacheDir)));
  const layers = [keptReadable(kept), await packedLayer(await workerFiles(workerDist, python))];
  return buildRuntimeImage(cacheDir, runtimeDist, { layers, labels: { "dev.berth.runtime": "python", [PYTHON_LABEL]: python.version } });
}

/** The files of the image that Node's image has not; `node`: the program whose libraries it needs as well. */
export async function pythonFiles(python: Python, workerDist: string, node: string): Promise<LayerFile[]> {
  return [...(await interpreterFiles(await probe(python.program), node)), ...(await workerFiles(workerDist, python))];
}

async function probe(program: string): Promise<Interpreter> {
  const { stdout } = await run(program, ["-I", "-S", "-c", PROBE], { timeout: 10_000 });
  return JSON.parse(stdout) as Interpreter;
}

async function interpreterFiles({ program, library, authorities }: Interpreter, node: string): Promise<LayerFile[]> {
  const work = await mkdtemp(join(tmpdir(), "berth-python-"));
  try {
    const name = basename(library);
    const copy = join(work, HOME, "lib", name);
    for (const path of globSync("**/*", { cwd: library, ignore: LEFT_OUT })) {
      await mkdir(dirname(join(copy, path)), { recursive: true });
      await cp(join(library, path), join(copy, path), { dereference: true });
    }
    // Files of an image have no time by which bytecode could be checked, and nothing can be written beside them.
    await compileFiles(copy, { program }, ["-j", "0"]);
    const files: LayerFile[] = [{ path: PROGRAM, data: await readFile(program) }];
    for (const path of globSync("**/*", { cwd: work, dot: true })) files.push({ path, data: await readFile(join(work, path)) });
    const modules = globSync("lib-dynload/*.so", { cwd: copy, absolute: true });
    return [...files, ...(await libraryFiles([program, node, ...modules])), ...(await authorityFiles(authorities))];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * The libraries of programs, all in the directory of the C library: the linker finds them there without a cache of its own.
 * The layer of Node may have older ones, from before an upgrade of this machine; the parts of one C library belong together.
 */
async function libraryFiles(programs: readonly string[]): Promise<LayerFile[]> {
  const found = await librariesOf(...programs);
  const directory = dirname(found.find((path) => basename(path).startsWith("libc.so")) ?? "");
  const more = OF_WHEELS.map((name) => join(directory, name)).filter((path) => existsSync(path) && !found.includes(path));
  return Promise.all(
    [...found, ...more].map(async (path) => {
      const isLinker = basename(path).startsWith("ld-");
      return { path: (isLinker ? path : join(directory, basename(path))).slice(1), data: await readFile(path) };
    }),
  );
}

/** The certificates of authorities where the interpreter looks for them. */
async function authorityFiles([wanted, ...known]: readonly (string | null)[]): Promise<LayerFile[]> {
  const source = [...known, ...AUTHORITIES].find((path) => path && existsSync(path));
  return wanted && source ? [{ path: wanted.slice(1), data: await readFile(source) }] : [];
}

/** The worker, compiled for this interpreter: the bytecode in `dist` may be that of others. */
async function workerFiles(dist: string, python: Python): Promise<LayerFile[]> {
  const work = await mkdtemp(join(tmpdir(), "berth-python-"));
  try {
    for (const path of globSync("**/*", { cwd: dist, dot: true, ignore: ["built", "compiled-*", "**/__pycache__/**"] })) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await cp(join(dist, path), join(work, path));
    }
    await compileFiles(work, python);
    const paths = globSync("**/*", { cwd: work, dot: true });
    return await Promise.all(paths.map(async (path) => ({ path: `${WORKER}/${path}`, data: await readFile(join(work, path)) })));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
