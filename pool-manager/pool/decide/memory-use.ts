import { INSTANCE_BYTES } from "../memory/idle-memory.ts";
import { type Held, Room, roomBeside, spareOf } from "../memory/room.ts";
import type { Plan } from "./plan.ts";
import { isUnbound } from "./pool-sizing.ts";
import { setInstances } from "./wanted-instances.ts";
import type { InstanceView, RevisionTarget, World } from "./world.ts";

/** An instance without an invocation for this long counts as one that is kept for nobody. */
const IDLE_AFTER_MS = 10_000;

/** How many of `missing` instances a revision may get; `due` of them are needed by invocations or set by a user. */
export type Grant = (spec: RevisionTarget, missing: number, due: number) => number;

/**
 * Bounds the instances that are started for nobody: by windows, for expected invocations, by schedules. The pool's free
 * instances come first. An instance counts as soon as no invocation needs it.
 */
export function memoryFor(plan: Plan): Grant {
  const { memory, size } = plan.pool;
  if (!memory) return (_spec, missing) => missing;
  const held = boundRevisions(plan).map((spec): Held => ({ ...countOf(plan, spec), needed: plan.needed(spec) }));
  const room = new Room(roomBeside(memory, size, held));
  return (spec, missing, due) => (isBound(plan, spec) ? room.grant(missing, due, costOf(spec)) : missing);
}

/**
 * Idle instances that take more than the pool's free ones and `minScale` leave, of `idle`, which has the longest idle first;
 * the caller removes them. Instances of rollouts are none of them.
 */
export function* overMemory(plan: Plan, idle: readonly InstanceView[]): Generator<InstanceView> {
  const { memory, size } = plan.pool;
  if (!memory) return;
  const held = new Map(boundRevisions(plan).map((spec): [RevisionTarget, Held] => [spec, { ...countOf(plan, spec), needed: plan.of(spec).size }]));
  const heldOf = ({ functionUid, revision }: InstanceView) => held.get(plan.specOf(functionUid, revision) as RevisionTarget);
  const due = idle.filter((instance) => heldOf(instance) && plan.world.now - instance.lastUsedAt >= IDLE_AFTER_MS);
  for (const instance of due) (heldOf(instance) as Held).needed -= 1;
  let over = -roomBeside(memory, size, held.values());
  for (const instance of due) {
    if (over <= 0) return;
    yield instance;
    if (!plan.leaves(instance)) continue;
    const own = heldOf(instance) as Held;
    const before = spareOf(own);
    own.have -= 1;
    over -= (before - spareOf(own)) * own.cost;
  }
}

/** Bytes of a pool's instances that run no invocation: free ones, starting ones, and functions' idle ones. */
export function idleBytes({ instances, functions, pools, now }: Pick<World, "instances" | "functions" | "pools" | "now">, pool: string): number {
  const free = pools.find(({ name }) => name === pool)?.sizeClass ?? INSTANCE_BYTES;
  const limits = new Map(functions.map((spec) => [`${spec.uid} ${spec.revision}`, costOf(spec)]));
  let bytes = 0;
  for (const instance of instances) {
    if (instance.pool !== pool || instance.removing || instance.state === "failed") continue;
    if (isUnbound(instance)) bytes += free;
    else if (isIdle(instance, now)) bytes += limits.get(`${instance.functionUid} ${instance.revision}`) ?? INSTANCE_BYTES;
  }
  return bytes;
}

function isIdle({ state, inFlight, lastUsedAt }: InstanceView, now: number): boolean {
  return state === "warm" && inFlight === 0 && now - lastUsedAt >= IDLE_AFTER_MS;
}

function boundRevisions(plan: Plan): RevisionTarget[] {
  return [...plan.served.values()].filter((spec) => isBound(plan, spec));
}

/** A rollout, and a first load that a caller waits for, are not started for nobody. */
function isBound(plan: Plan, spec: RevisionTarget): boolean {
  return !spec.isAwaited && !plan.rolling.has(spec.uid);
}

function countOf(plan: Plan, spec: RevisionTarget): Omit<Held, "needed"> {
  return { cost: costOf(spec), least: setInstances(spec), have: plan.of(spec).size };
}

function costOf({ memoryBytes = INSTANCE_BYTES }: RevisionTarget): number {
  return memoryBytes;
}
