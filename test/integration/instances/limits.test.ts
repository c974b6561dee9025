import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cgroupPlaces } from "../../../pool-manager/platform/local/cgroup-places.ts";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { CROWDED } from "../../helpers/limits.ts";

const MEMORY = "the function used more than its 128Mi of memory (memory)";

describe.skipIf(ON_CLUSTER).each([
  ["that the kernel keeps, where it may", ""],
  ["that Berth measures", "off"],
])("limits %s", (_how, cgroups) => {
  let berth: TestBerth;
  beforeAll(async () => {
    process.env.BERTH_CGROUPS = cgroups;
    berth = await TestBerth.start({ poolSize: 2 });
  });
  afterAll(async () => {
    delete process.env.BERTH_CGROUPS;
    await berth.close();
    expect(ownCgroups()).toEqual([]);
  });

  const call = async (name: string, path: string) => {
    const response = await berth.invoke(name, {}, path);
    const body = (await response.json().catch(() => null)) as { error?: { code: string; message: string }; pid?: number } | null;
    return { status: response.status, code: body?.error?.code ?? null, message: body?.error?.message ?? null, pid: body?.pid };
  };
  const metric = async (name: string) => {
    const text = await (await fetch(`${berth.berth.manageUrl}/metrics`)).text();
    return Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")[1] ?? 0,
    );
  };
  test.each([
    ["Node's heap", "/buffers?mb=300&hold"],
    ["a process that it has started", "/child?mb=300"],
  ])(
    "that exceeds its memory by %s gets OUT_OF_MEMORY, another instance takes its place, and others go on",
    async (_how, path) => {
      await berth.deploy("crowded", CROWDED, { memory: "128Mi" });
      await berth.deploy("other", CROWDED, {});
      const [before, other] = [await call("crowded", "/"), await call("other", "/")];
      const counted = await metric('berth_out_of_memory_total{function="crowded"}');
      expect(await call("crowded", path)).toEqual({ status: 502, code: "OUT_OF_MEMORY", message: MEMORY, pid: undefined });
      const after = await call("crowded", "/");
      expect([after.status, after.pid === before.pid]).toEqual([200, false]);
      expect((await call("other", "/")).pid).toBe(other.pid);
      expect(await metric('berth_out_of_memory_total{function="crowded"}')).toBe(counted + 1);
    },
    60_000,
  );

  test("keeps what it has below its limits, and a function without limits has none", async () => {
    await berth.deploy("modest", CROWDED, { memory: "256Mi", pids: 200, cpu: "1", ephemeralStorage: "64Mi" });
    expect((await call("modest", "/buffers?mb=50")).status).toBe(200);
    expect((await call("modest", "/files?mb=10")).status).toBe(200);
    await berth.deploy("free", CROWDED);
    expect((await call("free", "/buffers?mb=300")).status).toBe(200);
  }, 60_000);

  test("that writes too many files is ended with the reason", async () => {
    await berth.deploy("writer", CROWDED, { ephemeralStorage: "8Mi" });
    const { status, code, message } = await call("writer", "/files?mb=20&hold");
    expect([status, code]).toEqual([502, "FUNCTION_CRASHED"]);
    expect(message).toMatch(/^the function wrote \d+(\.\d)?Mi of files, and may write 8Mi \(ephemeralStorage\)$/);
  }, 60_000);

  test("has a new revision if they change, with the new limits", async () => {
    const first = await berth.deploy("grows", CROWDED, { memory: "128Mi" });
    const again = await berth.deploy("grows", CROWDED, { memory: "128Mi" });
    const larger = await berth.deploy("grows", CROWDED, { memory: "512Mi" });
    expect([first.revision, again.revision, larger.revision, larger.memory]).toEqual(["r1", "r1", "r2", "512Mi"]);
    expect((await call("grows", "/buffers?mb=300")).status).toBe(200);
  }, 60_000);

  test("that needs too much to load is not deployed, and its predecessor goes on", async () => {
    await berth.deploy("heavy", CROWDED, { memory: "128Mi" });
    const { pid } = await call("heavy", "/");
    const code = await berth.upload(`globalThis.all = Array.from({ length: 300 }, () => Buffer.alloc(2 ** 20, 1));\n${CROWDED}`);
    await berth.api.call("PATCH", "/v1/functions/heavy", { code, onceLoaded: true });
    const loaded = berth.api.call("POST", "/v1/functions/heavy/revisions/r2/load?wait=30s", undefined);
    await expect(loaded).rejects.toMatchObject({ code: "LOAD_FAILED", message: expect.stringContaining(MEMORY) });
    expect((await call("heavy", "/")).pid).toBe(pid);
  }, 60_000);

  test("has no cgroup any more once its instance has ended", async () => {
    await berth.deploy("brief", CROWDED, { memory: "128Mi" });
    await call("brief", "/");
    await berth.api.call("DELETE", "/v1/functions/brief");
    await until(async () => {
      const running = (await berth.instances()).map(({ uid }) => uid);
      return ownCgroups().every((name) => running.some((uid) => name.startsWith(uid)));
    }, "only running instances have cgroups");
  });
});

/** Cgroups of workers of this process, by name. */
function ownCgroups(): string[] {
  const places = cgroupPlaces(readFileSync("/proc/self/cgroup", "utf8"), readFileSync("/proc/self/mounts", "utf8")).map(({ dir }) => dir);
  const namesIn = (dir: string) =>
    existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])) : [];
  return places.flatMap((place) => namesIn(place).flatMap((name) => (name.startsWith(`berth-${process.pid}-`) ? namesIn(join(place, name)) : [])));
}
