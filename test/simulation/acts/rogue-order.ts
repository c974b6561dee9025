import { activeRevision, type FunctionRecord } from "../../../pool-manager/functions/function.ts";
import type { OpenOrder } from "../../../pool-manager/platform/platform.ts";
import type { Echo } from "../../../runtime-images/protocol/messages.ts";
import type { SimNetwork } from "../network.ts";
import type { VirtualTime } from "../time.ts";

interface Occasion {
  record: FunctionRecord;
  uid: string;
  echo: Echo;
  term: number;
}

/** An order of a former leader, or of one that acts on an older state. */
export function rogueOrder({ record, uid, echo, term }: Occasion, network: SimNetwork, time: VirtualTime): OpenOrder {
  const { id, layer, loadTimeoutMs, settings } = activeRevision(record);
  return {
    uid,
    bootId: network.fault("order of an older boot", 0.15) ? "an older boot" : echo.bootId,
    epoch: time.chance(0.8) ? echo.epoch : echo.epoch - 1,
    functionUid: record.uid,
    functionName: record.name,
    revision: id,
    digest: layer,
    term: time.chance(0.7) ? term : term - 1,
    loadTimeoutMs,
    settings,
    env: {},
  };
}
