import { expect, test } from "vitest";
import type { PoolEvent } from "../../../../../pool-manager/pool/events.ts";
import { MemoryFunctions, MemoryManager } from "../../../../kubernetes/berth/manager.ts";
import { MemoryCode } from "../../../../kubernetes/berth/memory-code.ts";
import { MemoryRegistry } from "../../../../kubernetes/berth/memory-registry.ts";
import { KruiseCluster } from "../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const POOL = { name: "node", runtime: "node", size: 2, max: 6, budget: { actions: 5, windowMs: 1000 }, partition: 0, paused: false };
const REFUSAL = { phase: "Failed", reason: "OutOfcpu", message: "Node didn't have enough resource: cpu" };

test("pods that their node refuses are replaced after growing pauses, and the reason is reported, until one starts", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const events: PoolEvent[] = [];
    let refuses = true;
    let made = 0;
    cluster.store.listen({
      changed: ({ resource, object, before }) => {
        if (resource !== "/pods" || before || !refuses) return;
        made += 1;
        const path = `/api/v1/namespaces/${cluster.namespace}/pods/${object.metadata.name}/status`;
        setTimeout(() => cluster.at("PATCH", path, { status: REFUSAL }), 20);
      },
      restored: () => {},
    });
    const shared = { cluster, registry: new MemoryRegistry(), code: new MemoryCode(), pool: POOL, functions: new MemoryFunctions() };
    const manager = await MemoryManager.lead({ ...shared, onEvent: (event) => events.push(event) }, "manager", "m", new AbortController().signal);
    await time.sleep(600_000);
    // At least two of every half minute are tried, and not many more.
    expect(made).toBeGreaterThan(20);
    expect(made).toBeLessThan(80);
    expect(cluster.store.list("/pods").length).toBeLessThanOrEqual(POOL.size);
    const problem = "start fails: the pod has ended: OutOfcpu: Node didn't have enough resource: cpu";
    expect(manager.reconciler.reports.problemsOf("node")).toContain(problem);
    const told = (type: PoolEvent["type"]) =>
      events.filter((event) => event.type === type && "action" in event && event.action === "start" && !("again" in event && event.again));
    expect(told("action.failed")).toHaveLength(1);

    refuses = false;
    await time.sleep(40_000);
    expect(manager.reconciler.view().instances.filter(({ state }) => state === "prewarmed")).toHaveLength(2);
    expect(told("action.recovered")).toHaveLength(1);
    expect(manager.reconciler.reports.problemsOf("node")).toEqual([]);
    await manager.stop();
  }));
