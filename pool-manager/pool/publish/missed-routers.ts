import type { PoolEvent } from "../events.ts";
import type { Demand } from "../observe/demand.ts";
import { UNKNOWN_MS } from "../observe/router-presence.ts";

/** Reports each missed router once, and once how that ended. */
export class MissedRouters {
  readonly #reported = new Set<string>();

  check(demand: Demand, now: number): PoolEvent[] {
    const { hearing } = demand;
    const events: PoolEvent[] = [];
    for (const router of this.#reported) {
      if (hearing.isMissed(router, now)) continue;
      this.#reported.delete(router);
      if (hearing.isHeard(router, now)) events.push({ type: "router.heard", router });
      else events.push({ type: "router.forgotten", router, message: `router ${router} has ended, or counts as ended: it no longer keeps instances` });
    }
    for (const [router, { size: instances }] of demand.missed(now)) {
      if (this.#reported.has(router)) continue;
      this.#reported.add(router);
      const hours = UNKNOWN_MS / 3_600_000;
      const kept = `router ${router} is silent and has not said that it leaves: ${instances} instances that it used stay for up to ${hours} h`;
      const message = hearing.isDeaf(now) ? `${kept}; no router reports, so that no instance counts as idle` : kept;
      events.push({ type: "router.silent", router, instances, message });
    }
    return events;
  }
}
