import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { expose } from "../../../telemetry/exposition.ts";
import { ManagerError } from "../../errors.ts";
import { formatBytes } from "../../functions/manifest/quantity.ts";
import type { InstanceView, PoolSpec } from "../../pool/decide/world.ts";
import { standsStill } from "../../pool/publish/problems.ts";
import { AUTO, PoolFields } from "../../pool/settings/pool-fields.ts";
import { isUsed } from "../../pool/used-pools.ts";
import type { ApiContext } from "../context.ts";
import * as schemas from "../schemas/schemas.ts";
import { StatusView } from "../schemas/status.ts";
import { openStream } from "../sse.ts";
import { viewIdleMemory, viewSizing } from "./advice.ts";
import { viewScheduled } from "./views.ts";

const MAX_EVENT_STREAMS = 32;

const PoolBody = Type.Object(
  { ...PoolFields.properties, force: Type.Optional(Type.Boolean({ description: "Accepts sizes that exceed this machine's memory too." })) },
  { additionalProperties: false },
);

/** `/v1/pools…`, `/v1/instances`, `/v1/events`, `/v1/status`, and the paths for monitoring. */
export function poolRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { pools } = context;
  const view = (pool: PoolSpec) => {
    const { views, now, idleBytesOf } = context.instances();
    const obstructed = views
      .filter((instance) => standsStill(instance, now))
      .flatMap(({ obstacle, pool: name }) => (obstacle && name === pool.name ? obstacle.kind : []));
    return {
      ...viewPool(pool, views),
      memory: viewIdleMemory(pool.memory, idleBytesOf(pool.name)),
      sizing: viewSizing(context.sizing.sizer.lastOf(pool.name)),
      used: isUsed(pool, context.functions),
      doubt: context.doubtOf(pool.name),
      obstructed: countBy(obstructed),
      problems: context.problemsOf(pool.name),
    };
  };

  app.get("/v1/pools", { schema: { tags: ["pools"], summary: "List pools", response: { 200: schemas.PoolList } } }, async () => ({
    items: pools.list().map(view),
  }));

  const one = { params: schemas.NameParams, response: { 200: schemas.PoolView, default: schemas.ErrorBody } };
  app.get("/v1/pools/:name", { schema: { tags: ["pools"], summary: "One pool", ...one } }, async (request) => view(pools.get(request.params.name)));

  for (const method of ["PUT", "PATCH"] as const) {
    app.route({
      method,
      url: "/v1/pools/:name",
      schema: { tags: ["pools"], summary: "Change a pool; fields left out are unchanged", body: PoolBody, ...one },
      handler: async (request) => {
        const { force, ...change } = request.body;
        return view(await pools.set(request.params.name, change, force));
      },
    });
  }

  app.get("/v1/instances", { schema: { tags: ["instances"], summary: "List instances", response: { 200: schemas.InstanceList } } }, async () => {
    // An incomplete list would claim that the missing instances are gone.
    if (!context.ready()) throw new ManagerError("NOT_READY", "the instances are still being listed");
    const { views, addressOf, now } = context.instances();
    return { items: views.map((instance) => viewInstance(instance, addressOf(instance.uid), now, context)) };
  });

  let streams = 0;
  const events = { tags: ["instances"], summary: "Events of the pools, as server-sent events", response: { 200: schemas.EventStream } };
  app.get("/v1/events", { schema: events }, async (request, reply) => {
    if (streams >= MAX_EVENT_STREAMS) throw new ManagerError("TOO_MANY_STREAMS", "too many event streams are open");
    streams += 1;
    const send = openStream(request, reply, () => {
      streams -= 1;
      stop();
    });
    const stop = context.onEvent(send);
    return reply;
  });

  app.get("/v1/status", { schema: { tags: ["status"], summary: "Version, and address of the router", response: { 200: StatusView } } }, async () => ({
    version: context.version,
    platform: context.platform,
    router: context.routerUrl(),
    runtimes: [...context.runtimes],
    limits: context.limits,
    python: context.python,
    functions: context.functions.list().length,
    ready: context.ready(),
    node: process.version,
  }));

  app.get("/healthz", { schema: { tags: ["status"], summary: "The process is alive" } }, async () => ({ ok: true }));
  app.get("/readyz", { schema: { tags: ["status"], summary: "The process is ready to manage and serve" } }, async () => {
    if (!context.ready()) throw new ManagerError("NOT_READY", "still starting");
    return { ok: true };
  });
  app.get("/metrics", { schema: { tags: ["status"], summary: "Prometheus metrics; OpenMetrics where Accept prefers it" } }, async (request, reply) => {
    const { registries } = await context.metrics();
    const { type, text } = await expose(registries, request.headers.accept);
    return reply.type(type).send(text);
  });
}

function viewPool(pool: PoolSpec, instances: readonly InstanceView[]) {
  const own = instances.filter((instance) => instance.pool === pool.name);
  const { name, runtime, size: chosenSize, ownSize = chosenSize, auto, max, idleMemory, budget, partition, paused, warm = [] } = pool;
  const bounds = { targetHit: auto?.targetHit ?? null, min: auto?.min ?? null };
  return {
    name,
    runtime,
    size: (auto ? AUTO : ownSize) as number | typeof AUTO,
    chosenSize,
    warm: [...warm],
    scheduled: viewScheduled(pool.scheduled),
    ...bounds,
    max,
    sizeClass: pool.sizeClass === undefined ? null : formatBytes(pool.sizeClass),
    idleMemory: idleMemory === undefined ? null : formatBytes(idleMemory),
    budget,
    partition,
    paused,
    instances: countBy(own.map(({ state }) => state)),
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function viewInstance(instance: InstanceView, address: string | null, now: number, context: ApiContext) {
  const { uid, pool, state, functionUid, revision, epoch, inFlight, removing, obstacle } = instance;
  return {
    uid,
    pool,
    state: removing ? "draining" : state,
    function: functionUid && (context.functions.byUid(functionUid)?.name ?? null),
    revision,
    epoch,
    address,
    inFlight,
    obstacle: obstacle?.kind ?? null,
    ageMs: Math.round(now - instance.createdAt),
    idleMs: inFlight > 0 ? 0 : Math.round(now - instance.lastUsedAt),
  };
}
