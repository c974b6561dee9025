import { hostPort } from "../client/address.ts";
import type { FunctionRecord } from "../functions/function.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { Platform } from "../platform/platform.ts";
import { idleBytes } from "../pool/decide/memory-use.ts";
import type { Reconciler } from "../pool/reconciler.ts";
import type { ApiContext } from "./context.ts";

type Views = Pick<ApiContext, "instances" | "countInstances" | "windowScaleOf" | "awaitLoad" | "doubtOf" | "problemsOf" | "problemsOfFunction">;

/** The views of the reconciler, its platform and the functions that routes show. Only `awaitLoad` changes anything: it opens a trial. */
export function viewsOf(reconciler: Reconciler, platform: Pick<Platform, "observe">, functions: FunctionRegistry): Views {
  const placeOf = (uid: string) => {
    const found = platform.observe().instances.get(uid);
    return { node: found?.node ?? null, address: found?.echo?.port ? hostPort(found.host, found.echo.port) : null };
  };
  const addressOf = (uid: string) => placeOf(uid).address;
  return {
    instances: () => {
      const world = reconciler.view();
      const { instances, now, demand } = world;
      return { views: [...instances], addressOf, placeOf, now, demand, idleBytesOf: (pool) => idleBytes(world, pool) };
    },
    countInstances: (uid) => {
      const states = reconciler.reports.statesOf(uid);
      return { warm: states.filter((state) => state === "warm").length, starting: states.filter((state) => state === "specializing").length };
    },
    windowScaleOf: (uid) => reconciler.windows.scales.get(uid),
    awaitLoad: (uid, revision, waitMs) => reconciler.trials.wait(uid, revision, waitMs),
    doubtOf: (pool) => reconciler.doubtOf(pool),
    problemsOf: (pool) => reconciler.reports.problemsOf(pool),
    problemsOfFunction: (record: FunctionRecord) => [...functions.problemsOf(record.uid), ...reconciler.reports.problemsOfFunction(record)],
  };
}
