import { type Command, InvalidArgumentError } from "commander";

/** Takes a limit away. */
const NONE = "none";

/** The limits of a function's instances, as options give them. Commander makes an empty text of a parser's null, so that `none` stays what it is. */
export interface LimitOptions {
  memory?: string;
  cpu?: string;
  ephemeralStorage?: string;
  pids?: number | typeof NONE;
}

export function withLimitOptions(command: Command): Command {
  return command
    .option("--memory <amount>", "memory of an instance, such as 256Mi, above which it is replaced; none: no limit")
    .option("--cpu <processors>", "processors of an instance, such as 500m or 2; none: no limit")
    .option("--ephemeral-storage <amount>", "what an instance may write to its temporary directory, such as 1Gi; none: no limit")
    .option("--pids <n>", "processes and threads of an instance; none: no limit", count);
}

/** The limits of a manifest or of a change: a new function has none that could be taken away. */
export function limitsOf({ memory, cpu, ephemeralStorage, pids }: LimitOptions, isNew: boolean): Record<string, unknown> {
  const given = Object.entries({ memory, cpu, ephemeralStorage, pids });
  const wanted = given.filter(([, value]) => value !== undefined && !(isNew && value === NONE));
  return Object.fromEntries(wanted.map(([field, value]) => [field, value === NONE ? null : value]));
}

function count(text: string): number | typeof NONE {
  if (text === NONE) return NONE;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number.`);
  return Number(text);
}
