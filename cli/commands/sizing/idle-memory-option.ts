import type { Command } from "commander";
import type { PoolAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { formatBytes } from "../../../pool-manager/functions/manifest/quantity.ts";

/** Takes the limit away. */
const NONE = "none";

/** Adds the option --idle-memory. */
export function withIdleMemoryOption(command: Command): Command {
  return command.option(
    "--idle-memory <amount>",
    "memory that instances without an invocation may take together, such as 4Gi: free ones beyond --min, and functions' idle ones; none: no limit",
  );
}

/** Options as the API has them: Commander would make an empty text of a null. */
export function changeOf<T extends { idleMemory?: string }>({ idleMemory, ...rest }: T): object {
  return { ...rest, ...(idleMemory !== undefined && { idleMemory: idleMemory === NONE ? null : idleMemory }) };
}

/** Such as "768Mi of 2Gi taken, of which minScale has 192Mi; 96Mi an instance, so that 19 free ones fit". */
export function memoryInWords({ limitBytes, usedBytes, instanceBytes, minScaleBytes, freeAllowed }: NonNullable<PoolAnswer["memory"]>): string {
  const kept = minScaleBytes > 0 ? `; minScale has ${formatBytes(minScaleBytes)}` : "";
  return `${formatBytes(usedBytes)} of ${formatBytes(limitBytes)} taken${kept}; ${formatBytes(instanceBytes)} an instance, so that ${freeAllowed} free ones fit`;
}

/** The fields of the limit as a table shows them. */
export function shownMemory({ memory }: Pick<PoolAnswer, "memory">): object {
  return { memory: memory && memoryInWords(memory) };
}
