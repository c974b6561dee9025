import { dirname, resolve } from "node:path";
import type { Controller } from "../../../runtime-images/cgroups/cgroup.ts";

/** A directory in which cgroups may be made, if the kernel allows it. */
export interface CgroupPlace {
  version: 1 | 2;
  controllers: Controller[];
  dir: string;
  /** Whether this process is in it: then controllers may be enabled for what is made in it. */
  isOwn: boolean;
}

const CONTROLLERS: readonly Controller[] = ["memory", "cpu", "pids"];

/**
 * The places to try, the best first. `cgroups` is the text of /proc/self/cgroup, `mounts` that of /proc/self/mounts.
 *
 * | hierarchy                | places                                                                                  |
 * |--------------------------|-----------------------------------------------------------------------------------------|
 * | version 1, by controller | the cgroup of this process                                                              |
 * | version 2                | the cgroup of this process, then those above it: one with processes gives none to others |
 */
export function cgroupPlaces(cgroups: string, mounts: string): CgroupPlace[] {
  const mounted = mounts.split("\n").map((line) => line.split(" "));
  const places: CgroupPlace[] = [];
  for (const line of cgroups.trim().split("\n")) {
    const [id = "", names = "", ...rest] = line.split(":");
    const path = rest.join(":");
    // The cgroup is outside of what this process sees.
    if (!path.startsWith("/") || path.split("/").includes("..")) continue;
    if (id === "0") places.push(...unified(mounted, path));
    else places.push(...divided(mounted, names.split(","), path));
  }
  return places;
}

function unified(mounted: string[][], path: string): CgroupPlace[] {
  const root = mounted.find(([, , type]) => type === "cgroup2")?.[1];
  if (root === undefined) return [];
  const places: CgroupPlace[] = [];
  for (let at = path; ; at = dirname(at)) {
    places.push({ version: 2, controllers: [...CONTROLLERS], dir: resolve(root, `.${at}`), isOwn: at === path });
    if (at === "/") return places;
  }
}

function divided(mounted: string[][], names: string[], path: string): CgroupPlace[] {
  const controllers = CONTROLLERS.filter((one) => names.includes(one));
  return controllers.flatMap((controller) => {
    const root = mounted.find(([, , type, options = ""]) => type === "cgroup" && options.split(",").includes(controller))?.[1];
    return root === undefined ? [] : [{ version: 1 as const, controllers: [controller], dir: resolve(root, `.${path}`), isOwn: true }];
  });
}
