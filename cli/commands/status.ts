import { freemem } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import pc from "picocolors";
import { FUNCTION_NODE, findNode } from "../../runtime-images/node/find-node.ts";
import { pythonWorker } from "../../runtime-images/python/worker-command.ts";
import { CliError, EXIT } from "../errors.ts";
import type { ManageClient } from "../manage-client.ts";
import { globals } from "../options/globals.ts";
import { type PlatformOptions, platformConfig, withPlatformOptions } from "../options/platform-options.ts";
import { printData, printList } from "../output.ts";
import { packageRoot, packageVersion } from "../package-root.ts";

interface Status {
  version: string;
  platform: string;
  router: string | null;
  ready: boolean;
  /** Absent from an older server. */
  limits?: string;
  functions: number;
}

interface Check {
  check: string;
  ok: boolean;
  found: string;
  fix: string;
}

/** Adds the commands version and doctor. */
export function statusCommands(program: Command): void {
  program
    .command("version")
    .description("print the versions of this command and of the berth it talks to")
    .action(async (_options: object, command: Command) => {
      const { api, format } = globals(command);
      const server = await api.get<Status>("/v1/status").then(
        (status) => status.version,
        () => null,
      );
      if (format === "table") process.stdout.write(`berth ${packageVersion()} (server ${server ?? "not reachable"}, Node ${process.version})\n`);
      else printData({ client: packageVersion(), server, node: process.version }, format);
    });

  withPlatformOptions(program.command("doctor"))
    .description("check that berth can run here or on a cluster, and that the running one works")
    .action(async (options: PlatformOptions, command: Command) => {
      const { api, format } = globals(command);
      const cluster = options.platform === "kruise" ? await clusterChecks(options) : [];
      const checks = [...machineChecks(), await functionNodeCheck(), await pythonCheck(), ...cluster, ...(await serverChecks(api, cluster.length > 0))];
      const columns = [
        { title: "CHECK", value: (check: Check) => check.check },
        { title: "RESULT", value: (check: Check) => (check.ok ? pc.green("ok") : pc.red("failed")) },
        { title: "FOUND", value: (check: Check) => check.found },
        { title: "FIX", value: (check: Check) => (check.ok ? "" : check.fix) },
      ];
      printList(checks, columns, format);
      if (checks.some((check) => !check.ok)) process.exitCode = EXIT.error;
    });
}

/** Checks the cluster and the registry, whether Berth already runs on them or not. */
async function clusterChecks(options: PlatformOptions): Promise<Check[]> {
  const config = platformConfig(options, ".berth");
  if (config.kind !== "kruise") return [];
  const { checkKruise } = await import("../../pool-manager/platform/kruise/connect.ts");
  const results = await checkKruise(config).catch((error: Error) => [
    { name: "cluster", ok: false, detail: error.message, fix: "set --kubeconfig and --registry" },
  ]);
  return results.map(({ name, ok, detail, fix }) => ({ check: name, ok, found: detail, fix }));
}

function machineChecks(): Check[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const free = Math.round(freemem() / 2 ** 20);
  return [
    { check: "node", ok: major > 20 || (major === 20 && minor >= 19), found: process.version, fix: "install Node 20.19 or newer" },
    {
      check: "system",
      ok: process.platform === "linux" || process.platform === "darwin",
      found: process.platform === "linux" ? "linux" : `${process.platform} (tested on Linux only)`,
      fix: "run berth on Linux",
    },
    { check: "memory", ok: free > 512, found: `${free} MB free`, fix: "free some memory, or set a smaller pool" },
  ];
}

/** The Node that runs the functions of an embedded Berth, in words. */
async function functionNodeCheck(): Promise<Check> {
  const check = { check: "node of functions", fix: "set BERTH_NODE to the path of Node 20.19 or newer, or unset it" };
  try {
    const { program, version, reason } = await findNode(join(packageRoot(), FUNCTION_NODE));
    return { ...check, ok: true, found: `${version}, ${program}${reason === null ? "" : ` (${reason})`}` };
  } catch (error) {
    return { ...check, ok: false, found: (error as Error).message };
  }
}

/** Python is optional: the check tells why the runtime is not offered, and fails nothing. */
async function pythonCheck(): Promise<Check> {
  const worker = await pythonWorker(join(packageRoot(), "runtime-images/python/dist"));
  const found = typeof worker === "string" ? `not available: ${worker}` : `${worker.python.program} (${worker.python.version})`;
  return { check: "runtime python", ok: true, found, fix: "" };
}

/** Checks the running Berth. With `onCluster` it need not run yet, and its routers may run elsewhere. */
async function serverChecks(api: ManageClient, onCluster: boolean): Promise<Check[]> {
  let status: Status;
  try {
    status = await api.get<Status>("/v1/status");
  } catch (error) {
    const notYet = onCluster && error instanceof CliError && error.code === "UNREACHABLE";
    if (notYet) return [{ check: "manage API", ok: true, found: `none at ${api.url} yet`, fix: "" }];
    return [{ check: "manage API", ok: false, found: (error as Error).message, fix: "start berth with npm start, or name it with --url" }];
  }
  const { items } = await api.get<{ items: { name: string; used: boolean; chosenSize: number; instances: Record<string, number>; problems: string[] }[] }>(
    "/v1/pools",
  );
  const router = status.router ? await probe(`${status.router}/readyz`) : "none";
  return [
    { check: "manage API", ok: status.ready, found: `${api.url}, version ${status.version}, ${status.functions} functions`, fix: "wait until it is ready" },
    ...(status.limits ? [{ check: "limits of functions", ok: true, found: status.limits, fix: "" }] : []),
    { check: "versions", ok: status.version === packageVersion(), found: `command ${packageVersion()}`, fix: "use the same version on both sides" },
    {
      check: "router",
      ok: router === "ready" || (onCluster && status.router === null),
      found: `${status.router ?? "none"}: ${router}`,
      fix: "check the log of berth",
    },
    ...items.map((pool) => ({
      check: `pool ${pool.name}`,
      ok: pool.problems.length === 0 && (pool.chosenSize === 0 || !pool.used || (pool.instances.prewarmed ?? 0) > 0),
      found: [`${pool.instances.prewarmed ?? 0} of ${pool.chosenSize} prewarmed`, ...pool.problems].join("; "),
      fix: pool.problems.length > 0 ? "fix what is named; berth then recovers by itself" : "wait for the refill; if it does not come, check the log of berth",
    })),
  ];
}

async function probe(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch((error: Error) => error);
  if (response instanceof Error) return response.message;
  return (await response.text()).trim();
}
