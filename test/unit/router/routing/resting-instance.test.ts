import { expect, test } from "vitest";
import { RouterMetrics } from "../../../../router/metrics.ts";
import type { ServedRevision } from "../../../../router/routing/served-revision.ts";
import { ServedRevisions } from "../../../../router/routing/served-revisions.ts";
import { FakeWaiter } from "../../../fakes/fake-waiter.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";
import { VirtualTime } from "../../../simulation/time.ts";

const QUEUE_TIMEOUT_MS = 5000;

function started(): { time: VirtualTime; revision: ServedRevision } {
  const time = new VirtualTime(1);
  const functions = new ServedRevisions("r", new RouterMetrics(), null, routerConfig(), { clock: time });
  const fn = tableFunction({ concurrency: 1, queueTimeoutMs: QUEUE_TIMEOUT_MS, endpoints: [endpoint({ instanceUid: "i" })] });
  functions.follow({
    subscribe: (listener) => {
      listener({ type: "snapshot", functions: [fn] });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  });
  const [revision] = functions.revisions();
  return { time, revision: revision as ServedRevision };
}

// I4
test.each([
  ["full", 20],
  ["stale", 1010],
] as const)(
  "an invocation that waits is served as soon as an instance that answered %s and became free meanwhile may be picked again",
  async (why, latestMs) => {
    const { time, revision } = started();
    const [running, refused] = [new FakeWaiter(), new FakeWaiter()];
    revision.limiter.acquire(running);
    revision.limiter.acquire(refused);
    revision.turnedAway(refused, "i", why);
    expect(refused.reservation).toBeNull();
    running.reservation?.release();
    expect(refused.reservation, "it rests").toBeNull();
    await time.run(latestMs + 1);
    expect([refused.reservation?.endpoint.instanceUid, refused.error]).toEqual(["i", null]);
  },
);
