import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { connectOver, type KruiseConfig, type KruiseSources } from "../../../../../pool-manager/platform/kruise/connect.ts";
import { LeaderElection } from "../../../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { highestTerm } from "../../../../../pool-manager/platform/kruise/leader-election/terms.ts";
import { KruiseCluster } from "../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const CONFIG: KruiseConfig = {
  kubeconfig: null,
  namespace: "berth",
  registry: "127.0.0.1:1",
  registryVia: null,
  images: { node: "runtime:1", python: null, idle: "idle:1" },
  insecureRegistry: false,
  pullSecret: null,
  anyKruise: false,
  loadPath: "inline",
  memory: "256Mi",
  sizeClasses: [],
  disk: "1Gi",
  cacheDir: "/nonexistent",
};

const dir = mkdtempSync(join(tmpdir(), "berth-connect-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("a pool manager keeps the budgets while it leads, and releases the Lease when it is closed", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    let lost: string | null = null;
    const nothing = () => {};
    const sources: KruiseSources = {
      runtimeDist: "",
      pythonDist: "",
      codeDir: join(dir, "code"),
      entryProgram: "",
      blob: () => Promise.reject(new Error("there is no code")),
      now: () => performance.now(),
      onWrite: nothing,
      onWriteFailed: nothing,
      onTrouble: nothing,
      stop: new AbortController().signal,
      lead: (kube, isFirst) => {
        const told = { onLeader: nothing, onTrouble: nothing, onLost: (message: string) => (lost = message) };
        return LeaderElection.acquire({ kube, holder: "a", url: "http://a", highestTerm: () => highestTerm(kube), isFirst, ...told, stop: sources.stop });
      },
    };
    const { platform } = await connectOver(cluster.connect("manager"), CONFIG, sources);
    await platform.start();
    const budgets = () => ["policy/poddisruptionbudgets", "policy.kruise.io/podunavailablebudgets"].flatMap((kind) => cluster.store.list(kind));
    await time.reach(() => budgets().length === 2, "both budgets are there");
    const lease = () => cluster.store.list("coordination.k8s.io/leases")[0] as unknown as { spec: { holderIdentity: string } };
    expect(lease().spec.holderIdentity).toBe("a");
    await platform.close();
    expect([lease().spec.holderIdentity, lost]).toEqual(["", null]);
  }));
