import { Type } from "typebox";
import { ManagerError } from "../errors.ts";
import { EXAMPLE, faultIn } from "./schedule.ts";

/**
 * The field `warm` of a pool and of a function. Its texts have no pattern: the fault of an invalid one is named by `checkWarm`, which
 * shows how to write it.
 */
export const WarmField = Type.Array(Type.String({ maxLength: 200 }), {
  description: `Schedules, each as DAYS HH:MM-HH:MM ZONE=INSTANCES, such as ${EXAMPLE}: at least so many instances are kept within the window. An empty list takes all away.`,
  maxItems: 20,
  default: [],
});

/** Throws `SCHEDULE_INVALID` with the field if a schedule is wrong or wants more than `max`, whose name is `name`. */
export function checkWarm(warm: readonly string[] | undefined, max: number, name: string): void {
  const fault = faultIn(warm ?? [], max, name);
  if (fault) throw new ManagerError("SCHEDULE_INVALID", `warm: ${fault.message}`, `warm.${fault.index}`);
}
