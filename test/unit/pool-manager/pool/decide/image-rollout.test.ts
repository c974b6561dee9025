import { describe, expect, test } from "vitest";
import type { FunctionRecord, Revision } from "../../../../../pool-manager/functions/function.ts";
import { advance, begin, percentOf } from "../../../../../pool-manager/functions/rollout.ts";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import { rolloutSizeIn } from "../../../../../pool-manager/pool/decide/wanted-instances.ts";
import type { Action, InstanceView, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { revisionTargetOf } from "../../../../../pool-manager/pool/observe/world-builder.ts";
import { record } from "../../../../helpers/builders/record.ts";
import { instance, NOW, POOL, warm, world } from "../../../../helpers/builders/world.ts";

const ROUND_MS = 1000;
const CONCURRENCY = 10;

const revision = (id: string, image?: string) => ({ id, settings: { image, concurrency: CONCURRENCY, timeoutMs: 1000 } }) as unknown as Revision;

interface Case {
  minScale: number;
  maxScale: number;
  /** Invocations that run at a time. */
  load: number;
  steps: (number | string)[];
  parallel: number;
  /** Instances of the pool that are kept free. */
  free: number;
  /** The revision is code whose instances come from another pool; absent: an image. */
  moves?: boolean;
}

/** A rollout of an image from its begin, by the real decisions, on a platform that needs a round for each start. */
class Rollout {
  record: FunctionRecord;
  instances: InstanceView[] = [];
  most = 0;
  #now = NOW;
  #created = 0;
  readonly #of: Case;

  constructor(of: Case) {
    this.#of = of;
    const scaling = { minScale: of.minScale, maxScale: of.maxScale, idleTimeoutMs: 300_000, queueDepth: 100, queueTimeoutMs: 1000 };
    const rolloutPolicy = { steps: of.steps, intervalMs: 2 * ROUND_MS, parallel: of.parallel, maxErrors: 5 };
    const before = record({ scaling, rolloutPolicy, revisions: [this.#revision("r1"), this.#revision("r2")] });
    const count = Math.max(1, of.minScale, Math.ceil(of.load / CONCURRENCY));
    for (let i = 0; i < count; i++) this.instances.push(warm(`old${i}`, "u", { revision: "r1", boundRevision: "r1" }));
    for (let i = 0; i < of.free; i++) for (const pool of this.#pools()) this.#create(pool);
    this.record = { ...before, ...begin(before, "r2") };
  }

  #revision(id: string): Revision {
    return revision(id, this.#of.moves ? undefined : "server@sha256:1");
  }

  #poolOf(id: string): string {
    return this.#of.moves && id === "r2" ? "node-1gi" : "node";
  }

  #pools(): string[] {
    return this.#of.moves ? ["node", "node-1gi"] : ["node"];
  }

  of(id: string): InstanceView[] {
    return this.instances.filter((one) => one.functionUid === "u" && one.revision === id);
  }

  round(): void {
    this.#now += ROUND_MS;
    const seen = this.#seen();
    for (const action of decide(seen).actions) this.#act(action);
    this.most = Math.max(this.most, this.of("r1").length + this.of("r2").length);
    const ready = this.of("r2").filter(({ state }) => state === "warm").length;
    const total = rolloutSizeIn(seen, "u") ?? this.of("r1").length + this.of("r2").length;
    const { rolloutPolicy } = this.record;
    if (!rolloutPolicy) throw new Error("no policy");
    const change = advance(this.record, rolloutPolicy, { total, ready, failure: null, ended: 0, failed: 0, heldMs: 2 * ROUND_MS });
    if (change) this.record = { ...this.record, ...change };
  }

  #seen(): World {
    const { load } = this.#of;
    const { rollout } = this.record;
    const young = Math.round((load * (rollout?.state === "rolling" ? percentOf(this.record, rollout) : 100)) / 100);
    const key = rollout?.state === "rolling" ? "u@r2" : "u";
    const demandOf = (inFlight: number) => ({ waiting: 0, inFlight, oldestWaitMs: 0 });
    const served = rollout?.state === "rolling" ? ["r1", "r2"] : [this.record.active];
    // Instances that were loaded or created in the round before serve now.
    this.instances = this.instances.map((one) => ({
      ...one,
      state: one.state === "specializing" ? "warm" : one.state === "starting" ? "prewarmed" : one.state,
    }));
    return world({
      now: this.#now,
      pools: this.#pools().map((name) => ({ ...POOL, name, size: this.#of.free, max: 100, budget: { actions: 100, windowMs: 1000 } })),
      functions: served.map((id) => revisionTargetOf(this.record, this.#revision(id), 0, this.#of.minScale, this.#poolOf(id))),
      instances: this.instances,
      demand: new Map([
        ["u", demandOf(load - young)],
        [key, demandOf(young)],
      ]),
    });
  }

  #create(pool: string): void {
    this.instances.push(instance(`new${this.#created++}`, { pool, state: "starting", readyAt: this.#now, lastUsedAt: this.#now }));
  }

  #act(action: Action): void {
    if (action.kind === "scale") for (let i = 0; i < action.create; i++) this.#create(action.pool);
    if (action.kind === "remove") this.instances = this.instances.filter(({ uid }) => uid !== action.instance.uid);
    if (action.kind !== "specialize") return;
    const { functionUid, revision: id } = action;
    const change = { state: "specializing", functionUid, revision: id, boundTo: functionUid, boundRevision: id, specializedAt: this.#now } as const;
    this.instances = this.instances.map((one) => (one.uid === action.instance.uid ? { ...one, ...change, lastUsedAt: this.#now } : one));
  }
}

const base = { minScale: 4, maxScale: 20, load: 8, steps: [1, "50%"], parallel: 1, free: 2 };

describe.each([
  ["of an image", {}],
  ["to another pool", { moves: true }],
])("a rollout %s by steps ends with the new revision, in as many instances as the function needs", (_kind, kind) => {
  test.each<[string, Case, number]>([
    ["kept instances with room above them", base, 4],
    ["kept instances that are all that may be", { ...base, maxScale: 4 }, 4],
    ["instances that the load needs", { ...base, minScale: 0, load: 47 }, 5],
    ["one instance", { ...base, minScale: 1 }, 1],
    ["a function that may have one", { ...base, minScale: 0, maxScale: 1 }, 1],
    ["three at a time", { ...base, minScale: 6, parallel: 3, free: 4 }, 6],
    ["no free instances", { ...base, free: 0 }, 4],
    ["no steps but the last", { ...base, steps: [] }, 4],
  ])("%s", (_title, of, needed) => {
    const rollout = new Rollout({ ...of, ...kind });
    let rounds = 0;
    while (rollout.record.rollout?.state === "rolling" && rounds < 100) {
      rollout.round();
      rounds += 1;
    }
    expect(rollout.record.rollout?.state).toBe("complete");
    for (let i = 0; i < 5; i++) rollout.round();
    expect([rollout.of("r1").length, rollout.of("r2").length]).toEqual([0, needed]);
    // The first instance of the new revision may come beside all others.
    expect(rollout.most).toBeLessThanOrEqual(Math.max(of.maxScale, needed) + 1);
    expect(rollout.most).toBeLessThanOrEqual(needed + of.parallel + 1);
  });
});
