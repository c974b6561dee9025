import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { KeptIdleDecision } from "../../pool/idling/idle-record.ts";
import { freeAllowed, type IdleMemory } from "../../pool/memory/idle-memory.ts";
import type { KeptDecision } from "../../pool/pool-sizer.ts";
import type { ApiContext } from "../context.ts";
import * as advice from "../schemas/advice.ts";
import { ErrorBody, NameParams } from "../schemas/schemas.ts";

/** `/v1/pools/NAME/advice` and `/v1/pools/NAME/decisions`, and the same of functions. */
export function adviceRoutes(instance: FastifyInstance, { pools, functions, sizing }: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const asked = { params: NameParams, querystring: advice.AdviceQuery };
  const answers = <T>(schema: T) => ({ response: { 200: schema, default: ErrorBody } });

  app.get(
    "/v1/pools/:name/advice",
    { schema: { tags: ["pools"], summary: "What a window would have hit and cost at every size", ...asked, ...answers(advice.PoolAdviceView) } },
    async ({ params, query }) => sizing.advisor.ofPool(pools.get(params.name), query.window ?? "1h"),
  );
  app.get(
    "/v1/functions/:name/advice",
    {
      schema: {
        tags: ["functions"],
        summary: "What a window would have been with another minScale or concurrency",
        ...asked,
        ...answers(advice.FunctionAdviceView),
      },
    },
    async ({ params, query }) => sizing.advisor.ofFunction(functions.get(params.name), query.window ?? "1h"),
  );
  app.get(
    "/v1/pools/:name/decisions",
    { schema: { tags: ["pools"], summary: "Why a pool that sizes itself has its size", params: NameParams, ...answers(advice.SizingDecisions) } },
    async ({ params }) => ({ items: sizing.sizer.decisionsOf(pools.get(params.name).name).map(viewDecision) }),
  );
  app.get(
    "/v1/functions/:name/decisions",
    { schema: { tags: ["functions"], summary: "Why an idle function has an instance when it has", params: NameParams, ...answers(advice.IdleDecisions) } },
    async ({ params }) => ({ items: viewIdle(sizing.planner.lastOf(functions.get(params.name).uid)) }),
  );
}

/** Why a pool has its size; null if it is fixed. */
export function viewSizing(last: KeptDecision | null) {
  if (!last) return null;
  const { inputs, decision } = last;
  const { wanted, refills, reason } = decision;
  return { at: new Date(inputs.at).toISOString(), wanted, refills, refillMs: Math.round(inputs.refillMs), reason };
}

/** The view of `idleMemory` and of what it allows; null: it is not set. */
export function viewIdleMemory(memory: IdleMemory | undefined, usedBytes: number) {
  if (!memory) return null;
  const { limit, instance, reserved } = memory;
  return { limitBytes: limit, usedBytes, instanceBytes: instance, minScaleBytes: reserved, freeAllowed: freeAllowed(memory) };
}

function viewIdle(last: KeptIdleDecision | null) {
  return last ? [{ inputs: { ...last.inputs, bins: last.inputs.bins.map((pair) => [...pair]) }, decision: last.decision }] : [];
}

function viewDecision({ inputs, decision }: KeptDecision) {
  const { recent, hour } = inputs;
  return {
    inputs: { ...inputs, recent: { ...recent, depths: [...recent.depths] }, hour: { ...hour, depths: [...hour.depths] } },
    decision,
  };
}
