import fc from "fast-check";
import { expect, test } from "vitest";
import { type Change, Informer } from "../../../../pool-manager/kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../../pool-manager/kubernetes/objects.ts";
import { ApiError, internalError, tooManyRequests } from "../../../kubernetes/api/api-error.ts";
import type { Effect, Where } from "../../../kubernetes/api/faults.ts";
import { MemoryCluster } from "../../../kubernetes/cluster.ts";
import { VirtualTime } from "../../../kubernetes/virtual-time.ts";

const PATH = "/api/v1/namespaces/berth/configmaps";
const NAMES = ["a", "b", "c"];
/** After so much time without faults everything is known: the reflector lists anew every five minutes. */
const CALM_MS = 400_000;

/** On a cluster something is always written: versions rise. */
const BEAT_MS = 5000;

const name = fc.constantFrom(...NAMES);
const where: fc.Arbitrary<Where> = fc.constantFrom({}, { watch: true }, { watch: false });
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc
    .constantFrom(
      internalError("etcd is away"),
      tooManyRequests(1),
      new ApiError(410, "Expired", "too old resource version"),
      new ApiError(503, "ServiceUnavailable", "apiserver not ready"),
    )
    .map((error) => ({ kind: "refuse", error }) as const),
  fc.constantFrom("hang", "unreachable", "lose").map((kind) => ({ kind }) as const),
  fc.integer({ min: 1, max: 8000 }).map((ms) => ({ kind: "slow", ms }) as const),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant("create" as const), name, watched: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("change" as const), name }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("label" as const), name, watched: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("delete" as const), name }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("fault" as const), where, effect, ms: fc.integer({ min: 1, max: 60_000 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("lag" as const), back: fc.integer({ min: 1, max: 20 }), ms: fc.integer({ min: 1, max: 60_000 }) }) },
  { weight: 2, arbitrary: fc.constantFrom("cut", "hush", "compact", "save", "restore").map((what) => ({ what }) as const) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("answer" as const), name, ms: fc.integer({ min: 1, max: 5000 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("blackout" as const), deleted: fc.subarray(NAMES), ms: fc.integer({ min: 1, max: 20_000 }) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 50_000 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly cluster = new MemoryCluster();
  /** The objects that a listener knows from changes alone. */
  readonly heard = new Map<string, string>();
  readonly reflector: Informer<KubeObject>;
  readonly #time: VirtualTime;
  #backup = this.cluster.store.snapshot();

  constructor(time: VirtualTime) {
    this.#time = time;
    const onChange = (change: Change<KubeObject>) => this.#hear(change);
    this.reflector = new Informer<KubeObject>(this.cluster.connect("manager"), { path: PATH, selector: "watched=yes", onChange });
  }

  async do(step: Step): Promise<void> {
    const { cluster } = this;
    if ("name" in step) this.#write(step);
    else if (step.what === "wait") await this.#time.sleep(step.ms);
    else if (step.what === "cut") cluster.cutWatches();
    else if (step.what === "hush") cluster.hushWatches();
    else if (step.what === "compact") cluster.store.compact();
    else if (step.what === "save") this.#backup = cluster.store.snapshot();
    else if (step.what === "restore") cluster.store.restore(this.#backup);
    else if (step.what === "fault") setTimeout(cluster.faults.add(step.where, step.effect), step.ms);
    else if (step.what === "lag") this.#lag(step.back, step.ms);
    else if (step.what === "blackout") this.#blackout(step.deleted, step.ms);
  }

  beat(): void {
    this.cluster.at("PATCH", "/api/v1/namespaces/default", { metadata: { annotations: { beat: String(this.#time.now()) } } });
  }

  /** Objects and versions as the store, the informer and its listener know them. */
  compare(): Record<"store" | "cache" | "heard", string[]> {
    const shown = ({ metadata }: KubeObject) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`;
    const matching = this.cluster.store.list("/configmaps", "berth").filter(({ metadata }) => metadata.labels?.watched === "yes");
    return { store: matching.map(shown).sort(), cache: [...this.reflector.all()].map(shown).sort(), heard: [...this.heard.values()].sort() };
  }

  #lag(back: number, ms: number): void {
    const { store, faults } = this.cluster;
    const version = Math.max(store.compacted, store.version - back);
    setTimeout(faults.add({ watch: false }, { kind: "stale", version }), ms);
  }

  /** The server is away; what is deleted meanwhile is in no history when it is back. */
  #blackout(deleted: readonly string[], ms: number): void {
    const { cluster } = this;
    setTimeout(cluster.faults.add({}, { kind: "unreachable" }), ms);
    cluster.cutWatches();
    for (const one of deleted) this.#write({ what: "delete", name: one });
    cluster.store.compact();
  }

  #write(step: Extract<Step, { name: string }>): void {
    const exists = this.cluster.store.get("/configmaps", "berth", step.name) !== undefined;
    if (step.what === "create") {
      if (!exists) this.cluster.make(PATH, { metadata: { name: step.name, labels: labels(step.watched) } });
    } else if (!exists) return;
    else if (step.what === "delete") this.cluster.at("DELETE", `${PATH}/${step.name}`);
    else if (step.what === "label") this.cluster.at("PATCH", `${PATH}/${step.name}`, { metadata: { labels: labels(step.watched) } });
    else {
      const changed = this.cluster.at<KubeObject>("PATCH", `${PATH}/${step.name}`, { data: { x: String(this.cluster.store.version) } });
      // The answer to a write of ours may come after newer news of its object.
      if (step.what === "answer" && changed.metadata.labels?.watched === "yes") setTimeout(() => this.reflector.learn(changed), step.ms);
    }
  }

  #hear({ type, object: { metadata } }: Change<KubeObject>): void {
    const known = this.heard.get(metadata.name);
    if (type === "present") this.heard.set(metadata.name, `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`);
    else if (known?.startsWith(`${metadata.name} ${metadata.uid} `)) this.heard.delete(metadata.name);
  }
}

function labels(watched: boolean): Record<string, string> {
  return { watched: watched ? "yes" : "no" };
}

test("whatever happens to the connection, the informer and its listeners finally know all objects", async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80, size: "max" }), fc.integer({ min: 1, max: 2 ** 30 }), (steps, seed) =>
    VirtualTime.run(seed, async (time) => {
      const world = new World(time);
      const others = setInterval(() => world.beat(), BEAT_MS);
      const started = world.reflector.start().catch(() => {});
      for (const one of steps) await world.do(one);
      world.cluster.faults.clear();
      await started;
      // A history that went backwards unseen is found by the regular listing at the latest.
      await time.sleep(steps.some(({ what }) => what === "restore") ? CALM_MS : 60_000);
      const { store, cache, heard } = world.compare();
      world.reflector.close();
      clearInterval(others);
      expect({ cache, heard }).toEqual({ cache: store, heard: store });
    }),
  );
  await fc.assert(property, { seed: 7, numRuns: 40 });
});
