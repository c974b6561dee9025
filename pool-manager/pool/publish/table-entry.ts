import type { Endpoint, StartKind, TableFunction } from "../../client/contract.ts";
import { type FunctionRecord, type Revision, servedKey } from "../../functions/function.ts";
import type { Instance } from "../../platform/platform.ts";

/** An accepted load order, for the endpoint that results from it. */
export interface Start {
  kind: StartKind;
  claimMs: number;
  epoch: number;
}

/** The table's fields about instances that do not exist yet. */
export type Outlook = Pick<TableFunction, "failure" | "blocked" | "expectedStartMs">;

/** A served revision as routers see it; its endpoints are derived from the instances' echoes only. */
export function tableFunction(
  record: FunctionRecord,
  { id, settings, loadTimeoutMs }: Revision,
  instances: Iterable<Instance>,
  startOf: (uid: string) => Start | undefined,
  outlook: Outlook,
): TableFunction {
  const isActive = id === record.active;
  const endpoints: Endpoint[] = [];
  for (const instance of instances) {
    const endpoint = endpointOf(record.uid, id, instance, startOf(instance.uid));
    if (endpoint) endpoints.push(endpoint);
  }
  return {
    key: servedKey(record, id),
    uid: record.uid,
    name: isActive ? record.name : `${record.name}@${id}`,
    revision: id,
    split: isActive ? Object.entries(record.traffic.split).map(([revision, percent]) => ({ revision, percent })) : [],
    aliases: isActive ? record.traffic.aliases : {},
    concurrency: settings.concurrency,
    timeoutMs: settings.timeoutMs,
    loadTimeoutMs,
    queueDepth: record.scaling.queueDepth,
    queueTimeoutMs: record.scaling.queueTimeoutMs,
    endpoints,
    ...outlook,
  };
}

/** Null unless the instance serves this revision: one that still has an older revision gets no new invocations. */
function endpointOf(uid: string, revision: string, instance: Instance, start: Start | undefined): Endpoint | null {
  const { echo } = instance;
  if (!echo || echo.functionUid !== uid || echo.revision !== revision || echo.port === null || instance.host === "") return null;
  if (echo.state !== "specializing" && echo.state !== "warm") return null;
  const known = start?.epoch === echo.epoch ? start : undefined;
  return {
    instanceUid: echo.uid,
    bootId: echo.bootId,
    epoch: echo.epoch,
    host: instance.host,
    port: echo.port,
    key: instance.key,
    revision,
    loaded: echo.loaded,
    start: known?.kind ?? "warm",
    claimMs: known?.claimMs ?? 0,
  };
}
