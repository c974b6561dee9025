import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { ManagerError } from "../../errors.ts";
import type { LogEntry } from "../../functions/logs.ts";
import type { ApiContext } from "../context.ts";
import { JSON_LINES, openStream } from "../sse.ts";
import { checkNamespace, LogsQuery, NAMESPACE } from "./requests.ts";
import { messageOf } from "./views.ts";

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** `/system/info`, `/system/namespaces` and `/system/logs`. */
export function systemRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, logs } = context;

  app.get("/system/info", { schema: { hide: true } }, async () => {
    const version = { release: context.version, sha: "" };
    return { provider: { provider: "berth", orchestration: context.platform, version }, version, arch: process.arch === "x64" ? "x86_64" : process.arch };
  });

  app.get("/system/namespaces", { schema: { hide: true } }, async () => [NAMESPACE]);

  app.get(`/system/namespace/${NAMESPACE}`, { schema: { hide: true } }, async () => ({ name: NAMESPACE, annotations: {}, labels: {} }));

  const refuse = async () => {
    throw new ManagerError("NAMESPACE_UNSUPPORTED", `functions of Berth have no namespaces: ${NAMESPACE} stands for all of them`);
  };
  app.all("/system/namespace", { schema: { hide: true } }, refuse);
  app.all("/system/namespace/*", { schema: { hide: true } }, refuse);

  app.get("/system/logs", { schema: { hide: true, querystring: LogsQuery } }, async (request, reply) => {
    const { name, namespace, instance: only, since, tail = 0, follow = false } = request.query;
    checkNamespace(namespace);
    const { uid } = functions.get(name);
    const isAsked = (entry: LogEntry) => !only || entry.instance === only;
    const past = logs.tail(uid, Number.MAX_SAFE_INTEGER, undefined, timeOf(since)).filter(isAsked);
    const lines = tail > 0 ? past.slice(-tail) : past;
    let stop: (() => void) | null = null;
    let send: (data: unknown) => void = () => {};
    if (follow) {
      // No line is added before the stream is open: nothing is awaited until then.
      stop = logs.follow(uid, (entry) => isAsked(entry) && send(messageOf(name, entry)));
      if (!stop) throw new ManagerError("TOO_MANY_STREAMS", `too many streams follow ${name}`);
    }
    send = openStream(request, reply, () => stop?.(), JSON_LINES);
    for (const entry of lines) send(messageOf(name, entry));
    if (!follow) reply.raw.end();
    return reply;
  });
}

/** Milliseconds of the wall clock; 0: no time is given. */
function timeOf(since: string | undefined): number {
  if (!since) return 0;
  const time = RFC3339.test(since) ? Date.parse(since) : Number.NaN;
  if (Number.isNaN(time))
    throw new ManagerError("PARAMETER_INVALID", `since: must be a time of RFC 3339, and is ${JSON.stringify(since.slice(0, 80))}`, "since");
  return time;
}
