import { type Command, InvalidArgumentError } from "commander";
import type { PoolAnswer } from "../../../pool-manager/api/schemas/answers.ts";

/** Takes all schedules away. */
const NONE = "none";

/** The schedule in force of a pool or a function. */
type Scheduled = NonNullable<PoolAnswer["scheduled"]>;

/** Adds the option --warm. `instances` is the number in its example. */
export function withWarmOption(command: Command, instances: number): Command {
  const example = `"Mon-Fri 08:00-19:00 Europe/Berlin=${instances}"`;
  return command.option(
    "--warm <schedule>",
    `instances kept in a weekly window, such as ${example} (repeatable); replaces the present ones; none: no schedules`,
    collected,
  );
}

/** Such as "12 by the schedule Mon-Fri 08:00-19:00 Europe/Berlin until 19:00". */
export function scheduledInWords({ instances, text }: Pick<Scheduled, "instances" | "text">): string {
  return `${instances} by ${text}`;
}

/** The fields of schedules as a table shows them: in words, and one schedule after the other. */
export function shownScheduled({ warm, scheduled }: Pick<PoolAnswer, "warm" | "scheduled">): object {
  return { warm: warm.join("; ") || null, scheduled: scheduled && scheduledInWords(scheduled) };
}

/** The list with one more schedule. It is empty after "none", beside which there is no other. */
function collected(text: string, before: string[] | undefined): string[] {
  if (before && (text === NONE || before.length === 0)) throw new InvalidArgumentError(`"${NONE}" takes all schedules away, and is given beside others.`);
  return text === NONE ? [] : [...(before ?? []), text];
}
