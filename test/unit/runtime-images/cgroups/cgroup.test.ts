import { expect, test } from "vitest";
import { cgroupSettings, isOutOfMemory } from "../../../../runtime-images/cgroups/cgroup.ts";

const written = (...of: Parameters<typeof cgroupSettings>) => Object.fromEntries(cgroupSettings(...of).map(({ file, value }) => [file, value]));

test("limits are written to the files of either version", () => {
  const all = { memoryBytes: 1024, cpuMillis: 1500, pids: 64 };
  expect(written(2, all)).toEqual({ "memory.max": "1024", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "150000 100000", "pids.max": "64" });
  expect(written(1, all)).toEqual({
    "memory.limit_in_bytes": "1024",
    "memory.memsw.limit_in_bytes": "1024",
    "memory.oom_control": "1",
    "cpu.cfs_period_us": "100000",
    "cpu.cfs_quota_us": "150000",
    "pids.max": "64",
  });
  expect(written(2, { cpuMillis: 1 })).toEqual({ "cpu.max": "1000 100000" });
  expect([cgroupSettings(1, {}), cgroupSettings(2, {})]).toEqual([[], []]);
});

test.each([
  ["low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", true],
  ["low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\n", false],
  ["oom_kill_disable 1\nunder_oom 1\noom_kill 0\n", true],
  ["oom_kill_disable 1\nunder_oom 0\noom_kill 0\n", false],
  ["oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", true],
  ["", false],
])("%j", (text, is) => expect(isOutOfMemory(text)).toBe(is));
