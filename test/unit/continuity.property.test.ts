import fc from "fast-check";
import { expect, test } from "vitest";
import { parseManifest } from "../../pool-manager/functions/manifest.ts";
import { internalError } from "../kubernetes/api-error.ts";
import type { Effect } from "../kubernetes/faults.ts";
import { KruiseCluster } from "../kubernetes/kruise-cluster.ts";
import { MemoryFunctions, MemoryManager, type Shared } from "../kubernetes/manager.ts";
import { MemoryCode } from "../kubernetes/memory-code.ts";
import { MemoryRegistry } from "../kubernetes/memory-registry.ts";
import { VirtualTime } from "../kubernetes/virtual-time.ts";

const FUNCTIONS = ["f", "g"];
const WARM_EACH = 2;
const FREE = 3;
const INVOCATION_MS = 15_000;
const INVOKE_EVERY_MS = 700;

const trouble: fc.Arbitrary<{ path: RegExp; effect: Effect }> = fc.oneof(
  fc.record({
    path: fc.constantFrom(/\/log$/, /\/pods$/, /\/clonesets$/, /\/nodes$/),
    effect: fc.integer({ min: 100, max: 4000 }).map((ms) => ({ kind: "slow", ms }) as const),
  }),
  fc.record({
    path: fc.constantFrom(/\/log$/, /\/pods$/, /\/clonesets$/),
    effect: fc.constant({ kind: "refuse", error: internalError("etcd is away") } as const),
  }),
);
const step = fc.record({
  age: fc.constantFrom(5000, 65_000, 130_000),
  how: fc.constantFrom("stop" as const, "kill" as const),
  /** A standby takes over; else the same one starts again. */
  other: fc.boolean(),
  trouble: fc.option(trouble),
  troubleMs: fc.integer({ min: 100, max: 8000 }),
  rest: fc.integer({ min: 100, max: 20_000 }),
});

class World {
  readonly cluster = new KruiseCluster();
  readonly shared: Shared;
  readonly removed: string[] = [];
  manager!: MemoryManager;
  broken = 0;
  served = 0;
  mostPods = 0;
  #client = "one";
  #lives = 0;
  readonly #time: VirtualTime;
  #invoking: NodeJS.Timeout | null = null;

  constructor(time: VirtualTime) {
    this.#time = time;
    this.shared = {
      cluster: this.cluster,
      registry: new MemoryRegistry(),
      code: new MemoryCode(),
      pool: { name: "node", runtime: "node", size: FREE, max: 20, budget: { actions: 10, windowMs: 1000 }, partition: 0, paused: false },
      functions: new MemoryFunctions(),
      onEvent: (event) => {
        if (event.type === "instance.removing") this.removed.push(`${event.instance} ${event.reason}`);
      },
    };
  }

  async begin(): Promise<void> {
    await this.#lead();
    for (const name of FUNCTIONS) {
      const { digest } = this.shared.code.add(name, "r1", name);
      const manifest = parseManifest({ minScale: WARM_EACH, maxScale: WARM_EACH, idleTimeout: "24h" }, ["node"]);
      await this.manager.functions.deploy(name, () => manifest, { layer: digest, entry: "index.mjs" });
    }
    await this.#time.reach(() => this.isAtRest(), "all functions are warm and bound, and the pool is full");
    this.removed.length = 0;
    this.cluster.store.listen({ changed: () => this.#count(), restored: () => {} });
    this.#invoking = setInterval(() => this.#invoke(), INVOKE_EVERY_MS);
  }

  async takeover(how: "stop" | "kill", other: boolean): Promise<void> {
    await this.manager[how]();
    if (other) this.#client = this.#client === "one" ? "two" : "one";
    await this.#lead();
  }

  async end(): Promise<void> {
    if (this.#invoking) clearInterval(this.#invoking);
    await this.manager.stop();
  }

  isAtRest(): boolean {
    const pods = this.cluster.store.list("/pods");
    const bound = pods.filter(({ metadata }) => metadata.labels?.["berth.dev/function"]);
    const states = [...this.cluster.kubelet.instances().values()].map(({ life }) => life.state);
    const count = (state: string) => states.filter((one) => one === state).length;
    return (
      bound.length === FUNCTIONS.length * WARM_EACH && pods.length === bound.length + FREE && count("warm") === bound.length && count("prewarmed") === FREE
    );
  }

  pods(): string[] {
    return this.cluster.store
      .list("/pods")
      .map(({ metadata }) => metadata.uid)
      .sort();
  }

  async #lead(): Promise<void> {
    const holder = `${this.#client}-${++this.#lives}`;
    this.manager = await MemoryManager.lead(this.shared, this.#client, holder, new AbortController().signal);
  }

  /** Invocations go to any instance that is loaded, as routers without a manager send them. */
  #invoke(): void {
    const loaded = [...this.cluster.kubelet.instances().values()].filter(({ life }) => life.state === "warm");
    if (loaded.length === 0) return;
    const instance = this.#time.pick(loaded);
    const { functionUid, revision } = instance.life.echo();
    const end = instance.invoke(functionUid ?? "", revision ?? "", () => {
      this.broken += 1;
    });
    if (!end) return;
    setTimeout(
      () => {
        end();
        this.served += 1;
      },
      this.#time.between(100, INVOCATION_MS),
    );
  }

  #count(): void {
    this.mostPods = Math.max(this.mostPods, this.cluster.store.list("/pods").length);
  }
}

test("restarts and failovers at any moment end no instance that answers, whatever its age, and the pool never overshoots", async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 2 ** 30 }), (steps, seed) =>
    VirtualTime.run(seed, async (time) => {
      const world = new World(time);
      await world.begin();
      const before = world.pods();
      for (const { age, how, other, trouble, troubleMs, rest } of steps) {
        await time.sleep(age);
        if (trouble) setTimeout(world.cluster.faults.add({ path: trouble.path }, trouble.effect), troubleMs);
        await world.takeover(how, other);
        await time.sleep(rest);
      }
      world.cluster.faults.clear();
      await time.sleep(65_000);
      await world.end();
      expect({ removed: world.removed, broken: world.broken, pods: world.pods(), most: world.mostPods }).toEqual({
        removed: [],
        broken: 0,
        pods: before,
        most: before.length,
      });
      expect(world.served).toBeGreaterThan(0);
    }),
  );
  await fc.assert(property, { seed: 7, numRuns: 5, endOnFailure: true });
});
