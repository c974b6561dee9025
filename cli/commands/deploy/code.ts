import { ownMachine } from "../../../runtime-images/custom/executable.ts";
import type { CommandLine } from "../../../runtime-images/custom/program.ts";
import { bundleCustom } from "../../bundle/custom/bundle-custom.ts";
import { findCustomSource } from "../../bundle/custom/custom-source.ts";
import { bundlePython } from "../../bundle/python/bundle-python.ts";
import type { LinkedPackages } from "../../bundle/python/linked-packages.ts";
import type { PackageTarget } from "../../bundle/python/packages.ts";
import { findPythonSource } from "../../bundle/python/python-source.ts";
import { CliError, EXIT } from "../../errors.ts";
import type { ManageClient } from "../../manage-client.ts";
import { runtimeOfFiles } from "./runtime-of-files.ts";

export interface Wanted {
  from: string;
  /** The command that the deployment names or the function has; undefined or null: neither. */
  command: CommandLine | null | undefined;
  /** Whether the deployment or the function says how many invocations an instance runs. */
  hasConcurrency: boolean;
  /** The runtime that the deployment names or the function has; undefined: neither. */
  runtime: string | undefined;
  entry: string | undefined;
  include: readonly string[];
  external: readonly string[];
  inspect?: boolean;
  onInputs?: (files: readonly string[]) => void;
  /** Packages of Python that stay where they are on this machine; undefined: they are packed. */
  linked?: LinkedPackages;
  say(text: string): void;
}

/** The settings of uploaded code, for the manifest. */
interface Uploaded {
  code: string;
  runtime?: string;
  handler?: string;
  command?: CommandLine;
  concurrency?: number;
}

/** Bundles and uploads code for its runtime: the one that is named, or that of its files. */
export async function uploadCode(api: ManageClient, wanted: Wanted): Promise<Uploaded> {
  const runtime = wanted.runtime ?? (wanted.command ? "custom" : runtimeOfFiles(wanted.from));
  const { from, entry, linked, ...beside } = wanted;
  if (runtime === "python") {
    const runs = await targetOf(api);
    const source = findPythonSource(from, entry);
    const code = await api.upload(await (linked ? linked.bundle(source, beside) : bundlePython(source, { ...beside, runs })));
    return { code, runtime, ...(source.handler !== undefined && { handler: source.handler }) };
  }
  if (entry !== undefined) throw new CliError("SOURCE_MISSING", "--entry is for Python", FIX_OF_ENTRY, EXIT.usage);
  if (runtime === "custom") return uploadCommand(api, wanted);
  const { bundle } = await import("../../bundle/bundle.ts");
  return { code: await api.upload(await bundle(from, beside)) };
}

const FIX_OF_ENTRY = "name the file with --from, its export with --handler; or what is started with --command";

async function uploadCommand(api: ManageClient, { from, command, include, hasConcurrency }: Wanted): Promise<Uploaded> {
  const source = findCustomSource(from, command ?? undefined);
  const code = await api.upload(await bundleCustom(source, include, await machineOf(api)));
  if (source.command !== undefined) return { code, runtime: "custom", command: source.command };
  // A bootstrap that polls once at a time would leave further invocations waiting in its instance, while others are free.
  return { code, runtime: "custom", ...(!hasConcurrency && { concurrency: 1 }) };
}

/** The architecture of instances: a cluster's are amd64, and an embedded berth runs on this machine. */
async function machineOf(api: ManageClient): Promise<string> {
  const { platform } = await api.lasting<{ platform: string }>("/v1/status");
  return platform === "kruise" ? "amd64" : ownMachine();
}

/** The interpreter and machine of that berth's functions. Refuses before packages are installed, which may take minutes. */
async function targetOf(api: ManageClient): Promise<PackageTarget> {
  const { runtimes, platform, python } = await api.lasting<{ runtimes: string[]; platform: string; python: string | null }>("/v1/status");
  if (python !== null) return { version: python, isHere: platform !== "kruise" };
  api.forget();
  const fix =
    platform === "kruise"
      ? "start berth on a machine with Python 3.11 or newer, or give it an image (--python-image, or images.python of the chart); its log says what is missing"
      : "install Python 3.11 or newer with pip on the machine of berth, run npm run build there, and start berth again; berth doctor checks it";
  throw new CliError("RUNTIME_UNAVAILABLE", `the runtime python is not available at ${api.url}; there is: ${runtimes.join(", ")}`, fix);
}
