import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CACHE } from "../layout.ts";
import { BIN, MODULE, VERSIONS } from "./programs.ts";

const GO = join(import.meta.dirname, "go");
/** Kubernetes alone takes six minutes on two cores. */
const BUILD_TIMEOUT_MS = 30 * 60_000;

interface Program {
  module: string;
  target: string;
  output: string;
  flags: string[];
}

const version = (name: string, value: string) => `-X k8s.io/component-base/version.${name}=${value}`;
const [major, minor] = VERSIONS.kubernetes.split(".") as [string, string];
const stamp = [version("gitVersion", `v${VERSIONS.kubernetes}`), version("gitMajor", major), version("gitMinor", minor)].join(" ");

const PROGRAMS: Program[] = [
  { module: MODULE.etcd, target: "go.etcd.io/etcd/server/v3", output: BIN.etcd, flags: ["-ldflags", "-s -w"] },
  { module: MODULE.kruise, target: "github.com/openkruise/kruise", output: BIN.kruise, flags: ["-ldflags", "-s -w"] },
  { module: MODULE.kruise, target: "github.com/openkruise/kruise/cmd/daemon", output: BIN.kruiseDaemon, flags: ["-ldflags", "-s -w"] },
  {
    module: MODULE.clients,
    target: "helm.sh/helm/v3/cmd/helm",
    output: BIN.helm,
    flags: ["-ldflags", `-s -w -X helm.sh/helm/v3/internal/version.version=v${VERSIONS.helm}`],
  },
  { module: MODULE.clients, target: ".", output: BIN.kubectl, flags: ["-ldflags", "-s -w"] },
  { module: MODULE.kubernetes, target: ".", output: BIN.kubernetes, flags: ["-ldflags", `-s -w ${stamp}`] },
];

/** Builds what is not built yet from these sources, one after the other. */
export async function buildPrograms(say: (text: string) => void): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  for (const program of PROGRAMS) {
    const mark = `${program.output}.built-from`;
    const sources = sourceHash(program);
    if (existsSync(program.output) && existsSync(mark) && readFileSync(mark, "utf8") === sources) continue;
    const began = Date.now();
    say(`building ${program.target === "." ? basename(program.output) : program.target} (minutes, once)`);
    await goBuild(program);
    writeFileSync(mark, sources);
    say(`built in ${Math.round((Date.now() - began) / 1000)} s`);
  }
}

/** Directory of a module's sources in Go's cache: manifests are read from there. */
export function moduleDir(module: string, path: string): string {
  return execFileSync("go", ["list", "-m", "-f", "{{.Dir}}", path], { cwd: join(GO, module), encoding: "utf8", timeout: 300_000 }).trim();
}

function goBuild({ module, target, output, flags }: Program): Promise<void> {
  const args = ["build", "-trimpath", ...flags, "-o", `${output}.new`, target];
  const child = spawn("go", args, {
    cwd: join(GO, module),
    env: { ...process.env, CGO_ENABLED: "0" },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: BUILD_TIMEOUT_MS,
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`go is needed to build the cluster: ${error.message}`)));
    child.on("exit", (code, signal) => {
      if (code !== 0) return reject(new Error(`go build ${target} ended with ${signal ?? code}`));
      renameSync(`${output}.new`, output);
      resolve();
    });
  });
}

function sourceHash({ module, target, flags }: Program): string {
  const hash = createHash("sha256").update(JSON.stringify([target, flags]));
  for (const name of readdirSync(join(GO, module)).sort()) hash.update(name).update(readFileSync(join(GO, module, name)));
  return hash.digest("hex");
}
