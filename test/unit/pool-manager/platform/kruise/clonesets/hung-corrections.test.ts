import { expect, test } from "vitest";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

test("corrections of a CloneSet that hang for minutes do not delay what is requested of it", () =>
  VirtualTime.run(1, async (time) => {
    const world = await WarmFunction.start(time, 1);
    const { cluster } = world;
    const requests: number[] = [];
    cluster.faults.onRequest = ({ method, path }) => {
      if (method === "PATCH" && /\/clonesets\/pool-/.test(path)) requests.push(performance.now());
    };
    const undo = cluster.faults.add({ client: "manager", method: "PATCH", path: /\/clonesets\/pool-/ }, { kind: "hang" });
    world.edit("pool-", { spec: { updateStrategy: { paused: false } } });
    await time.sleep(600_000);
    const [free] = world.pods().filter(({ metadata }) => !metadata.labels?.["berth.dev/function"]);
    cluster.at("DELETE", `/api/v1/namespaces/${cluster.namespace}/pods/${free?.metadata.name}`);
    const failed = () => world.events.some((event) => event.type === "action.failed" && event.action === "scale");
    await time.reach(failed, "it is told that no pod comes", 30_000);
    undo();
    await time.reach(() => world.isWhole(1), "the pool is full again", 60_000);
    expect(requests.length).toBeGreaterThan(50);
    await world.manager.stop();
  }));
