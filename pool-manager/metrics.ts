import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ObstacleKind } from "./platform/platform.ts";
import { idleBytes } from "./pool/decide/memory-use.ts";
import type { PoolSpec, World } from "./pool/decide/world.ts";
import type { PoolEvent } from "./pool/events.ts";
import type { PoolSizer } from "./pool/pool-sizer.ts";

const OBSTACLES: readonly ObstacleKind[] = ["pending", "blocked", "unreachable", "ended", "stuck"];
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every metric of the pool manager. Labels never name instances or paths. */
export class ManagerMetrics {
  readonly registry = new Registry();
  readonly #phase = this.#histogram("berth_start_phase_seconds", "Time of each phase of a start", ["phase", "kind", "path"]);
  readonly #starts = this.#counter("berth_instance_starts_total", "Specialized instances by how they were started", ["kind"]);
  readonly #created = this.#counter("berth_instances_created_total", "Requested instances", ["pool"]);
  readonly #removed = this.#counter("berth_instances_removed_total", "Removed instances", ["pool", "reason"]);
  readonly #kept = this.#counter("berth_instances_kept_total", "Instances whose removal was cancelled: their drain failed, and it was no longer needed", [
    "pool",
  ]);
  readonly #loadFailures = this.#counter("berth_load_failures_total", "Failed loads of code", ["function"]);
  readonly #crashLoops = this.#counter("berth_crash_loop_delays_total", "Delayed starts of a function whose instances crash soon after loading", ["function"]);
  readonly #rollouts = this.#counter("berth_rollouts_total", "Rollouts that ended by themselves", ["result"]);
  readonly #crashes = this.#counter("berth_instance_crashes_total", "Instances that ended by themselves", ["pool"]);
  readonly #outOfMemory = this.#counter("berth_out_of_memory_total", "Instances that ended above the memory limit of their function", ["function"]);
  readonly #swapFailures = this.#counter("berth_swap_failures_total", "Bound instances whose code image could not be swapped in", ["pool"]);
  readonly #apiWrites = this.#counter("berth_api_writes_total", "Writes to the Kubernetes API by purpose", ["purpose"]);
  readonly #apiWriteFailures = this.#counter("berth_api_write_failures_total", "Failed writes to the Kubernetes API", ["purpose", "reason"]);
  readonly #refused = this.#counter("berth_load_orders_refused_total", "Load orders that were refused or lost", ["refusal"]);
  readonly #throttled = this.#counter("berth_budget_exhausted_total", "Decisions that the disruption budget delayed", ["pool"]);
  readonly #doubted = this.#counter("berth_observations_doubted_total", "Implausible observations of a pool", ["pool"]);
  readonly #silences = this.#counter("berth_router_silences_total", "Routers that stopped reporting without having said that they leave", []);
  readonly #stalled = this.#counter("berth_stalled_seconds_total", "Time in which this process was stalled, as far as it was noticed", []);
  readonly #failed = this.#counter("berth_action_failures_total", "Failed attempts of an action on the platform", ["action", "reason"]);
  readonly #requestErrors = this.#counter("berth_api_errors_total", "Requests to the manage API that were answered with an error", ["code"]);
  readonly #obstructed = new Gauge({
    name: "berth_pool_obstructed",
    help: "Instances of a pool that cannot serve, by obstacle",
    labelNames: ["pool", "obstacle"],
    registers: [this.registry],
  });
  readonly #size = new Gauge({
    name: "berth_pool_size",
    help: "Instances of a pool by state",
    labelNames: ["pool", "state"],
    registers: [this.registry],
  });
  readonly #unsure = new Gauge({
    name: "berth_pool_unsure",
    help: "Instances of a pool that may be in use: a router that may be using them is silent",
    labelNames: ["pool"],
    registers: [this.registry],
  });
  readonly #target = this.#poolGauge("berth_pool_target_size", "Instances that a pool keeps free; of one that sizes itself, the chosen number");
  readonly #idleMemory = this.#poolGauge("berth_pool_idle_memory_bytes", "Memory of the instances that run no invocation, at what an instance counts as");
  readonly #idleMemoryLimit = this.#poolGauge("berth_pool_idle_memory_limit_bytes", "idleMemory of a pool; absent where it is not set");
  readonly #claimRate = this.#poolGauge("berth_pool_claims_per_second", "Rate of claims in the last hour, by which a pool sizes itself");
  readonly #dispersion = this.#poolGauge("berth_pool_claims_dispersion", "Variance over mean of the claims in ten seconds; 1: independent");
  readonly #refill = this.#poolGauge("berth_pool_refill_seconds", "Time of a refill, by which a pool sizes itself");
  readonly #resized = this.#counter("berth_pool_resizes_total", "Reported changes of the size of a pool that sizes itself or is sized by schedules", ["pool"]);
  readonly #hitRatio = new Gauge({
    name: "berth_pool_hit_ratio",
    help: "Share of starts that took a prewarmed instance",
    registers: [this.registry],
  });
  readonly #term = new Gauge({ name: "berth_leader_term", help: "Leadership term; 0 while another pool manager leads", registers: [this.registry] });
  readonly #trouble = new Gauge({
    name: "berth_cluster_trouble",
    help: "1 while this step fails on the cluster and is retried",
    labelNames: ["step"],
    registers: [this.registry],
  });
  #hits = 0;
  #total = 0;

  leads(term: number): void {
    this.#term.set(term);
  }

  onEvent(event: PoolEvent): void {
    switch (event.type) {
      case "instance.creating":
        return this.#created.inc({ pool: event.pool }, event.count);
      case "instance.prewarmed":
        return this.#phase.observe({ phase: "create", kind: "cold", path: "" }, event.ms / 1000);
      case "instance.specialized":
        return this.#specialized(event.start, event.ms);
      case "instance.loaded":
        return this.#phase.observe({ phase: "load", kind: "prewarmed", path: event.path }, event.ms / 1000);
      case "instance.load-failed":
        return this.#loadFailures.inc({ function: event.function });
      case "revision.crash-loop":
        return this.#crashLoops.inc({ function: event.function });
      case "function.deleted":
        this.#crashLoops.remove(event.function);
        this.#outOfMemory.remove(event.function);
        return this.#loadFailures.remove(event.function);
      case "rollout.complete":
        return this.#rollouts.inc({ result: "complete" });
      case "rollout.stopped":
        return this.#rollouts.inc({ result: "stopped" });
      case "instance.crashed":
        return this.#crashes.inc({ pool: event.pool });
      case "instance.out-of-memory":
        return this.#outOfMemory.inc({ function: event.function });
      case "order.refused":
        return this.#refused.inc({ refusal: event.refusal });
      case "instance.swap-failed":
        return this.#swapFailures.inc({ pool: event.pool });
      case "instance.removing":
        return this.#removed.inc({ pool: event.pool, reason: event.reason });
      case "instance.kept":
        return this.#kept.inc({ pool: event.pool });
      case "observation.doubted":
        return this.#doubted.inc({ pool: event.pool });
      case "router.silent":
        return this.#silences.inc();
      case "manager.stalled":
        return this.#stalled.inc(event.ms / 1000);
      case "pool.resized":
        return this.#resized.inc({ pool: event.pool });
      case "action.failed":
        return this.#failed.inc({ action: event.action, reason: event.reason });
      case "budget.exhausted":
        return this.#throttled.inc({ pool: event.pool });
      default:
        return;
    }
  }

  trouble(step: string, is: boolean): void {
    this.#trouble.set({ step }, is ? 1 : 0);
  }

  /** `code`: error code of the manage API. */
  requestFailed(code: string): void {
    this.#requestErrors.inc({ code });
  }

  apiWrite(purpose: string): void {
    this.#apiWrites.inc({ purpose });
  }

  /** `reason`: a reason of the API server, such as Forbidden, or Unreachable. */
  apiWriteFailed(purpose: string, reason: string): void {
    this.#apiWriteFailures.inc({ purpose, reason });
  }

  /** Sets the gauges from the world; called when metrics are read. */
  observe(world: Pick<World, "pools" | "instances" | "functions" | "now">): void {
    const { pools, instances } = world;
    this.#size.reset();
    for (const { name, memory } of pools) {
      this.#idleMemory.set({ pool: name }, idleBytes(world, name));
      if (memory) this.#idleMemoryLimit.set({ pool: name }, memory.limit);
      else this.#idleMemoryLimit.remove({ pool: name });
      this.#unsure.set({ pool: name }, instances.filter(({ pool, unsure, functionUid }) => pool === name && unsure && functionUid !== null).length);
      for (const state of ["starting", "prewarmed", "specializing", "warm", "draining", "failed"]) {
        const count = instances.filter((instance) => instance.pool === name && instance.state === state).length;
        this.#size.set({ pool: name, state }, count);
      }
      for (const obstacle of OBSTACLES) {
        const count = instances.filter((instance) => instance.pool === name && instance.obstacle?.kind === obstacle).length;
        this.#obstructed.set({ pool: name, obstacle }, count);
      }
    }
  }

  /** Sets the gauges of sizes; called when metrics are read. */
  sized(pools: readonly PoolSpec[], sizer: Pick<PoolSizer, "lastOf">): void {
    for (const { name, size } of pools) {
      this.#target.set({ pool: name }, size);
      const inputs = sizer.lastOf(name)?.inputs;
      if (!inputs) {
        for (const gauge of [this.#claimRate, this.#dispersion, this.#refill]) gauge.remove({ pool: name });
        continue;
      }
      this.#claimRate.set({ pool: name }, inputs.hour.claims / inputs.hour.seconds);
      this.#dispersion.set({ pool: name }, inputs.hour.dispersion);
      this.#refill.set({ pool: name }, inputs.refillMs / 1000);
    }
  }

  #poolGauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, labelNames: ["pool"], registers: [this.registry] });
  }

  #specialized(kind: string, ms: number): void {
    this.#phase.observe({ phase: "claim", kind, path: "" }, ms / 1000);
    if (kind === "warm") return;
    this.#starts.inc({ kind });
    this.#total += 1;
    if (kind === "prewarmed") this.#hits += 1;
    this.#hitRatio.set(this.#hits / this.#total);
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.registry] });
  }
}
