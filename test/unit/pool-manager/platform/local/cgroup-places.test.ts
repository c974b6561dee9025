import { expect, test } from "vitest";
import { cgroupPlaces } from "../../../../../pool-manager/platform/local/cgroup-places.ts";

const V2 = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
const V1 =
  "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
const shown = (cgroups: string, mounts: string) =>
  cgroupPlaces(cgroups, mounts).map(({ version, controllers, dir, isOwn }) => `v${version} ${controllers.join("+")} ${dir}${isOwn ? " own" : ""}`);

test.each<[string, string, string, string[]]>([
  [
    "version 2 in a session",
    "0::/user.slice/a.scope\n",
    V2,
    ["v2 memory+cpu+pids /sys/fs/cgroup/user.slice/a.scope own", "v2 memory+cpu+pids /sys/fs/cgroup/user.slice", "v2 memory+cpu+pids /sys/fs/cgroup"],
  ],
  ["version 2 at the root", "0::/\n", V2, ["v2 memory+cpu+pids /sys/fs/cgroup own"]],
  ["a cgroup out of sight", "0::/../../other\n", V2, []],
  [
    "version 1 beside version 2",
    "4:memory:/jobs/a\n3:cpuset:/\n2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n",
    V1,
    ["v1 memory /sys/fs/cgroup/memory/jobs/a own", "v1 cpu /sys/fs/cgroup/cpu,cpuacct own", "v2 memory+cpu+pids /sys/fs/cgroup/unified own"],
  ],
  ["a system without cgroups", "", "proc /proc proc rw 0 0\n", []],
])("%s", (_name, cgroups, mounts, places) => expect(shown(cgroups, mounts)).toEqual(places));
