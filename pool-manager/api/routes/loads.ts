import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { ManagerError } from "../../errors.ts";
import type { FunctionRecord } from "../../functions/function.ts";
import { parseDuration } from "../../functions/manifest/duration.ts";
import { checkRevision } from "../../functions/revisions.ts";
import type { LoadVerdict } from "../../pool/load-trials.ts";
import type { ApiContext } from "../context.ts";
import * as schemas from "../schemas/schemas.ts";
import { viewFunction } from "./views.ts";

const DEFAULT_WAIT = "10s";
/** Longest wait; proxies between client and API end longer requests. */
const MAX_WAIT_MS = 30_000;

/** `/v1/functions/NAME/revisions/REVISION/load`. */
export function loadRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, links, awaitLoad } = context;

  app.post(
    "/v1/functions/:name/revisions/:revision/load",
    {
      schema: {
        tags: ["functions"],
        summary: "Have an instance load a revision that is served or taking over, and wait until it has loaded",
        params: schemas.RevisionParams,
        querystring: schemas.LoadQuery,
        response: { 200: schemas.LoadResult, default: schemas.ErrorBody },
      },
    },
    async (request) => {
      const { name, revision } = request.params;
      const record = functions.get(name);
      checkRevision(record, revision);
      const waitMs = Math.min(parseDuration(request.query.wait ?? DEFAULT_WAIT) ?? 0, MAX_WAIT_MS);
      const verdict = awaitLoad(record.uid, revision, waitMs);
      if (!verdict) throw new ManagerError("TOO_MANY_STREAMS", "too many requests are waiting for revisions to load");
      const loaded = isLoaded(await verdict, functions.get(name), revision);
      await links.confirmed();
      return { ...viewFunction(functions.get(name), context), loaded };
    },
  );
}

/** False while it waits. Throws `LOAD_FAILED` and `REVISION_SUPERSEDED`. */
function isLoaded(verdict: LoadVerdict, { name, active }: FunctionRecord, revision: string): boolean {
  if (verdict.state === "superseded") throw new ManagerError("REVISION_SUPERSEDED", `${revision} of ${name} is no longer served`, "revision");
  if (verdict.state !== "failed") return verdict.state === "loaded";
  const stays = active === revision ? "" : `, and ${active} stays active`;
  throw new ManagerError("LOAD_FAILED", `${revision} of ${name} does not load${stays}: ${verdict.message}`);
}
