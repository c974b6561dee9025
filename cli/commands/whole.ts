import { InvalidArgumentError } from "commander";

/** Parses an option that takes a whole number; the API checks its bounds. */
export function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number.`);
  return Number(text);
}
