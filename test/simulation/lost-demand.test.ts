import { expect, test } from "vitest";
import { parseManifest } from "../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../pool-manager/functions/registry.ts";
import { Reconciler } from "../../pool-manager/pool/reconciler.ts";
import { FakePlatform } from "../fakes/fake-platform.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { SimNetwork } from "./network.ts";
import { SimRouter } from "./router.ts";
import { Tally } from "./tally.ts";
import { VirtualTime } from "./time.ts";

// I15
test("a lost demand report heals: the next one is sent within a second and says all that the lost one said", async () => {
  const time = new VirtualTime(1);
  const tally = new Tally();
  const network = new SimNetwork(time, tally);
  network.faulty = false;
  const platform = new FakePlatform(network);
  const functions: FunctionRegistry = new FunctionRegistry(
    memoryStore(),
    async () => "image",
    (uid) => reconciler.functionChanged(uid),
  );
  const pool = { name: "node", runtime: "node", size: 1, max: 3, budget: { actions: 9, windowMs: 1000 }, partition: 0, paused: false };
  const pace = { urgent: 1, refill: 1, refillDelayMs: 0, startTimeoutMs: 5000, lostAfterMs: 5000, bindDelayMs: 0, bindAfterMs: 0 };
  const reconciler = new Reconciler({
    platform,
    functions,
    pools: { list: () => [pool] },
    layer: async () => new Uint8Array(),
    clock: time,
    pace,
    term: 1,
    onEvent: () => {},
  });
  let lost = 0;
  let losing = true;
  const report: Reconciler["report"] = (said) => {
    if (losing) lost += 1;
    else reconciler.report(said);
  };
  const router = new SimRouter(time, tally, network, platform, { subscribe: (listener) => reconciler.subscribe(listener), report, leave: () => {} });
  const advance = (ms: number) => time.run(time.now() + ms, () => router.sweep());
  await reconciler.start();
  await functions.deploy("f", () => parseManifest({}, ["node"]), { layer: "sha256:1", entry: "index.mjs" });
  await advance(1000);

  const invocation = router.invoke("f", true);
  await advance(100);
  expect(lost).toBeGreaterThan(0);
  expect(invocation.outcome).toBe(null);
  losing = false;
  await advance(1300);
  expect(invocation.outcome).toBe("ok");
});
