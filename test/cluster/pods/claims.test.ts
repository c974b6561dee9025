import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { STEPS } from "../subject/killed-manager.ts";
import { freshNamespace } from "../subject/subject.ts";

test("20 claims of one function take at most 24 writes", async () => {
  const cluster = await ClusterBerth.start({ poolSize: 20 });
  try {
    const writes = async () =>
      Number(/^berth_api_writes_total\{purpose="claim"\} (\d+)/m.exec(await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text())?.[1] ?? 0);
    const source = "export default { async fetch() { await new Promise((done) => setTimeout(done, 3000)); return new Response('done'); } };";
    await cluster.berth.deploy("many", source, { concurrency: 1, maxScale: 20 });
    await sleep(2000);
    const before = await writes();
    await Promise.all(Array.from({ length: 20 }, () => cluster.text("many")));
    await until(async () => (await cluster.view.functionPods()).length === 20, "all are bound", 20_000);
    const taken = (await writes()) - before;
    process.stdout.write(`20 claims of one function: ${taken} writes\n`);
    expect(taken).toBeLessThanOrEqual(24);
    await until(() => cluster.view.balanced(), "every CloneSet counts its pods", 8000);
  } finally {
    await cluster.finish();
  }
}, 240_000);

describe("a pool manager that is killed while it claims", () => {
  test.each(STEPS)("%s: its successor finds the claim, nothing leaks and nothing is doubled", async (step) => {
    const namespace = freshNamespace();
    const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
    const child = spawn(process.execPath, ["--import", "tsx", "test/cluster/subject/killed-manager.ts", namespace, stateDir, step], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const signal = await new Promise((resolve) => child.once("exit", (_code, how) => resolve(how)));
    expect(signal).toBe("SIGKILL");
    const cluster = await ClusterBerth.start({ poolSize: 2 }, namespace, stateDir);
    try {
      expect(await cluster.text("claimed")).toBe("200 served");
      await cluster.bound("claimed");
      await cluster.berth.prewarmed(2);
      expect((await cluster.berth.instances()).filter((instance) => instance.function === "claimed")).toHaveLength(1);
      await until(async () => (await cluster.view.pods()).length === 3, "there are the pool's pods and the function's");
      expect(await cluster.view.functionPods()).toHaveLength(1);
    } finally {
      await cluster.finish();
    }
  });
});
