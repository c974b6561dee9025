import { formatDuration, parseDuration } from "../../pool-manager/functions/manifest/duration.ts";
import { ReplayError } from "./replay-error.ts";

/** How idle instances are kept. */
export interface Policy {
  name: string;
  /** Null: idle timeout auto. */
  idleTimeoutMs: number | null;
}

/** Parses a list such as "fixed:10m,auto". Throws `POLICY_INVALID`. */
export function parsePolicies(text: string): Policy[] {
  return text.split(",").map((given) => {
    const name = given.trim();
    if (name === "auto") return { name, idleTimeoutMs: null };
    const [, value = ""] = /^fixed:(.+)$/.exec(name) ?? [];
    const idleTimeoutMs = parseDuration(value);
    if (idleTimeoutMs === null || idleTimeoutMs < 1) {
      throw new ReplayError("POLICY_INVALID", `${JSON.stringify(name.slice(0, 80))} is not a policy`, "use auto, or fixed: and a duration, such as fixed:10m");
    }
    return { name: `fixed:${formatDuration(idleTimeoutMs)}`, idleTimeoutMs };
  });
}
