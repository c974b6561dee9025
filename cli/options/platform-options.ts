import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { parseSizeClasses } from "../../pool-manager/functions/manifest/size-classes.ts";
import type { PlatformConfig } from "../../pool-manager/platform/create.ts";
import { functionBytes } from "../../pool-manager/platform/kruise/resources/pod-resources.ts";
import { CliError, EXIT } from "../errors.ts";

/** The registry that nodes pull from. */
export interface RegistryOptions {
  registry?: string;
  registryVia?: string;
  insecureRegistry?: boolean;
}

/** The options of `up` and `doctor` for where instances run. */
export interface PlatformOptions extends RegistryOptions {
  platform: "local" | "kruise";
  kubeconfig?: string;
  namespace: string;
  runtimeImage?: string;
  pythonImage?: string;
  idleImage?: string;
  pullSecret?: string;
  anyKruiseVersion?: boolean;
  loadPath: "inline" | "image";
  instanceMemory: string;
  /** Such as "512Mi,2Gi"; absent or empty: none. */
  sizeClasses?: string;
  instanceDisk: string;
  /** Whether an instance on this machine keeps a worker ready for the next revision. */
  keepNext?: boolean;
}

export function withRegistryOptions(command: Command): Command {
  return command
    .addOption(new Option("--registry <host[:port][/prefix]>", "registry that nodes pull from").env("BERTH_REGISTRY"))
    .addOption(new Option("--registry-via <host[:port]>", "address at which this machine reaches the registry, if it differs").env("BERTH_REGISTRY_VIA"))
    .addOption(new Option("--insecure-registry", "plain HTTP to a registry that is not on this machine").env("BERTH_INSECURE_REGISTRY"));
}

/** Adds the platform options, each of which is also an environment variable. Their defaults are for one machine without a cluster. */
export function withPlatformOptions(command: Command): Command {
  return withRegistryOptions(command)
    .addOption(new Option("--platform <kind>", "where instances run").env("BERTH_PLATFORM").choices(["local", "kruise"]).default("local"))
    .addOption(new Option("--kubeconfig <file>", "cluster to use; by default KUBECONFIG, then ~/.kube/config").env("BERTH_KUBECONFIG"))
    .addOption(new Option("-n, --namespace <name>", "namespace of the cluster").env("BERTH_NAMESPACE").default("berth"))
    .addOption(new Option("--runtime-image <reference>", "instances' image, already pushed (berth images); with --idle-image").env("BERTH_RUNTIME_IMAGE"))
    .addOption(new Option("--python-image <reference>", "image of Python's instances, already pushed; with --runtime-image").env("BERTH_PYTHON_IMAGE"))
    .addOption(new Option("--idle-image <reference>", "image of instances without a function, already pushed").env("BERTH_IDLE_IMAGE"))
    .addOption(new Option("--pull-secret <name>", "Secret with which nodes pull").env("BERTH_PULL_SECRET"))
    .addOption(new Option("--any-kruise-version", "accept a version of OpenKruise that Berth was not tested with").env("BERTH_ANY_KRUISE_VERSION"))
    .addOption(
      new Option("--load-path <path>", "how code reaches instances on a cluster").env("BERTH_LOAD_PATH").choices(["inline", "image"]).default("inline"),
    )
    .addOption(new Option("--instance-memory <quantity>", "memory limit of an instance on a cluster").env("BERTH_INSTANCE_MEMORY").default("256Mi"))
    .addOption(
      new Option("--size-classes <quantities>", "further pools of a runtime on a cluster for functions with more memory, such as 512Mi,2Gi").env(
        "BERTH_SIZE_CLASSES",
      ),
    )
    .addOption(
      new Option("--instance-disk <quantity>", "how much of its node's disk an instance on a cluster may use").env("BERTH_INSTANCE_DISK").default("1Gi"),
    );
}

/** The platform configuration of these options. Throws `REGISTRY_MISSING` or `SIZE_CLASSES_INVALID`. */
export function platformConfig(options: PlatformOptions, stateDir: string): PlatformConfig {
  const sizeClasses = sizeClassesOf(options);
  if (options.platform === "local") return { kind: "local", keepNext: options.keepNext ?? false };
  if (!options.registry) {
    throw new CliError("REGISTRY_MISSING", "a cluster's nodes pull code from a registry", "name it with --registry or BERTH_REGISTRY", EXIT.usage);
  }
  return {
    kind: "kruise",
    kubeconfig: options.kubeconfig ?? null,
    namespace: options.namespace,
    registry: options.registry,
    registryVia: options.registryVia ?? null,
    images: options.runtimeImage && options.idleImage ? { node: options.runtimeImage, python: options.pythonImage ?? null, idle: options.idleImage } : null,
    insecureRegistry: options.insecureRegistry ?? false,
    pullSecret: options.pullSecret ?? null,
    anyKruise: options.anyKruiseVersion ?? false,
    loadPath: options.loadPath,
    memory: options.instanceMemory,
    sizeClasses,
    disk: options.instanceDisk,
    cacheDir: process.env.BERTH_CACHE_DIR ?? resolve(stateDir, "cache"),
  };
}

function sizeClassesOf({ platform, sizeClasses, instanceMemory }: PlatformOptions): number[] {
  if (!sizeClasses) return [];
  const invalid = (message: string, fix: string) => new CliError("SIZE_CLASSES_INVALID", `--size-classes: ${message}`, fix, EXIT.usage);
  if (platform === "local") {
    const fix = "leave it out: here, each instance is limited to the memory of its function; or add --platform kruise";
    throw invalid("instances on this machine have no size classes", fix);
  }
  const sizes = parseSizeClasses(sizeClasses, functionBytes(instanceMemory));
  if (typeof sizes === "string") throw invalid(sizes, "name sizes above --instance-memory less 64Mi, separated by commas, such as 512Mi,2Gi");
  return sizes;
}
