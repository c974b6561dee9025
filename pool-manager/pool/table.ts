import type { Endpoint, LoadFailure, StartKind, TableFunction } from "../client/contract.ts";
import { activeRevision, type FunctionRecord } from "../functions/function.ts";
import type { Instance } from "../platform/platform.ts";

/** What is remembered of an accepted load order, for the endpoint that it leads to. */
export interface Start {
  kind: StartKind;
  claimMs: number;
  epoch: number;
}

/** A function as routers see it: derived from what its instances say of themselves, and nothing else. */
export function tableFunction(
  record: FunctionRecord,
  instances: Iterable<Instance>,
  startOf: (uid: string) => Start | undefined,
  failure: LoadFailure | null,
  expectedStartMs: number,
): TableFunction {
  const { settings, id, loadTimeoutMs } = activeRevision(record);
  const endpoints: Endpoint[] = [];
  for (const instance of instances) {
    const endpoint = endpointOf(record.uid, id, instance, startOf(instance.uid));
    if (endpoint) endpoints.push(endpoint);
  }
  return {
    uid: record.uid,
    name: record.name,
    revision: id,
    concurrency: settings.concurrency,
    timeoutMs: settings.timeoutMs,
    loadTimeoutMs,
    queueDepth: record.scaling.queueDepth,
    queueTimeoutMs: record.scaling.queueTimeoutMs,
    endpoints,
    failure,
    expectedStartMs,
  };
}

/** Only the active revision's endpoint is listed: an instance that still has an older one gets no new invocation. */
function endpointOf(uid: string, revision: string, instance: Instance, start: Start | undefined): Endpoint | null {
  const { echo } = instance;
  if (!echo || echo.functionUid !== uid || echo.revision !== revision || echo.port === null) return null;
  if (echo.state !== "specializing" && echo.state !== "warm") return null;
  const known = start?.epoch === echo.epoch ? start : undefined;
  return {
    instanceUid: echo.uid,
    bootId: echo.bootId,
    epoch: echo.epoch,
    host: instance.host,
    port: echo.port,
    revision,
    loaded: echo.loaded,
    start: known?.kind ?? "warm",
    claimMs: known?.claimMs ?? 0,
  };
}
