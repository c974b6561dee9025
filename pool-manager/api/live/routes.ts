import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { presentedKey } from "../../client/api-keys.ts";
import { ManagerError } from "../../errors.ts";
import { SLOT_MS } from "../../statistics/slots.ts";
import type { ApiContext } from "../context.ts";
import { ErrorBody, NameParams } from "../schemas/schemas.ts";
import { openStream } from "../sse.ts";
import { InvocationProxy } from "./invocation-proxy.ts";
import { Overview } from "./overview.ts";
import { OverviewFeed } from "./overview-feed.ts";
import * as schemas from "./schemas.ts";

/** `/v1/overview`, and a function's statistics and invocation: what the dashboard needs beside the other routes. */
export function liveRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, statistics } = context;
  const feed = new OverviewFeed(new Overview(context));
  const proxy = new InvocationProxy(() => context.routerAddress());
  app.addHook("onClose", async () => feed.close());

  app.get(
    "/v1/overview",
    {
      schema: {
        tags: ["status"],
        summary: "Pools, functions, instances and events at a glance",
        querystring: schemas.OverviewQuery,
        response: { 200: schemas.OverviewAnswer, default: ErrorBody },
      },
    },
    async (request, reply) => {
      if (!context.ready()) throw new ManagerError("NOT_READY", "the instances are still being listed");
      if (!request.query.follow) return feed.snapshot();
      if (feed.isFull) throw new ManagerError("TOO_MANY_STREAMS", "too many streams of the overview are open");
      let stop = () => {};
      const send = openStream(request, reply, () => stop());
      stop = feed.follow(send);
      return reply;
    },
  );

  app.get(
    "/v1/functions/:name/statistics",
    {
      schema: {
        tags: ["functions"],
        summary: "Invocations and latencies of the last five minutes",
        params: NameParams,
        response: { 200: schemas.StatisticsAnswer, default: ErrorBody },
      },
    },
    async (request) => ({
      slotSeconds: SLOT_MS / 1000,
      points: statistics.courseOf(functions.get(request.params.name).uid, context.instances().now),
    }),
  );

  app.post(
    "/v1/functions/:name/invoke",
    {
      schema: {
        tags: ["functions"],
        summary: "Invoke a function through a router, and tell what its time went to",
        params: NameParams,
        body: schemas.InvokeBody,
        response: { 200: schemas.InvokeAnswer, default: ErrorBody },
      },
    },
    async (request) => {
      const { name } = functions.get(request.params.name);
      const own = request.headers["x-berth-api-key"];
      const key = presentedKey(request.headers.authorization, Array.isArray(own) ? undefined : own) ?? null;
      return proxy.invoke(name, request.body, key);
    },
  );
}
