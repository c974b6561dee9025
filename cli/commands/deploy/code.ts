import { bundlePython } from "../../bundle/python/bundle-python.ts";
import type { LinkedPackages } from "../../bundle/python/linked-packages.ts";
import type { PackageTarget } from "../../bundle/python/packages.ts";
import { findPythonSource, looksLikePython } from "../../bundle/python/python-source.ts";
import { CliError, EXIT } from "../../errors.ts";
import type { ManageClient } from "../../manage-client.ts";

interface Wanted {
  from: string;
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
}

/** Bundles and uploads code for its runtime: the one that is named, or that of its files. */
export async function uploadCode(api: ManageClient, { from, runtime, entry, linked, ...beside }: Wanted): Promise<Uploaded> {
  if (runtime !== "python" && !(runtime === undefined && looksLikePython(from))) {
    if (entry !== undefined) throw new CliError("SOURCE_MISSING", "--entry is for Python", "name the file with --from, its export with --handler", EXIT.usage);
    const { bundle } = await import("../../bundle/bundle.ts");
    return { code: await api.upload(await bundle(from, beside)) };
  }
  const runs = await targetOf(api);
  const source = findPythonSource(from, entry);
  const code = await api.upload(await (linked ? linked.bundle(source, beside) : bundlePython(source, { ...beside, runs })));
  return { code, runtime: "python", ...(source.handler !== undefined && { handler: source.handler }) };
}

/** What the functions of that berth run on. Refuses before packages are installed, which may take minutes. */
async function targetOf(api: ManageClient): Promise<PackageTarget> {
  const { runtimes, platform, python } = await api.get<{ runtimes: string[]; platform: string; python: string | null }>("/v1/status");
  if (python !== null) return { version: python, isHere: platform !== "kruise" };
  const fix =
    platform === "kruise"
      ? "start berth on a machine with Python 3.11 or newer, or give it an image (--python-image, or images.python of the chart); its log says what is missing"
      : "install Python 3.11 or newer with pip on the machine of berth, run npm run build there, and start berth again; berth doctor checks it";
  throw new CliError("RUNTIME_UNAVAILABLE", `the runtime python is not available at ${api.url}; there is: ${runtimes.join(", ")}`, fix);
}
