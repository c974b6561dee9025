import { type Command, InvalidArgumentError } from "commander";

/** The limits of a function's instances, as options give them; null takes one away. */
export interface LimitOptions {
  memory?: string | null;
  cpu?: string | null;
  ephemeralStorage?: string | null;
  pids?: number | null;
}

export function withLimitOptions(command: Command): Command {
  return command
    .option("--memory <amount>", "memory of an instance, such as 256Mi, above which it is replaced; none: no limit", quantity)
    .option("--cpu <processors>", "processors of an instance, such as 500m or 2; none: no limit", quantity)
    .option("--ephemeral-storage <amount>", "what an instance may write to its temporary directory, such as 1Gi; none: no limit", quantity)
    .option("--pids <n>", "processes and threads of an instance; none: no limit", count);
}

/** The limits of a manifest or of a change: a new function has none that could be taken away. */
export function limitsOf({ memory, cpu, ephemeralStorage, pids }: LimitOptions, isNew: boolean): Record<string, unknown> {
  const given = Object.entries({ memory, cpu, ephemeralStorage, pids });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined && !(isNew && value === null)));
}

function quantity(text: string): string | null {
  return text === "none" ? null : text;
}

function count(text: string): number | null {
  if (text === "none") return null;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number.`);
  return Number(text);
}
