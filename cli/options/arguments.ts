import { InvalidArgumentError, Option } from "commander";
import { formatDuration, parseDuration } from "../../pool-manager/functions/manifest/duration.ts";
import { parseNetwork } from "../../router/downstream/trusted-proxies.ts";
import { SIGNALS, type Signal } from "../../telemetry/signals.ts";

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`"${text}" is not an integer between ${min} and ${max}.`);
    }
    return value;
  };
}

/** Parses a duration between two, in milliseconds. */
export function duration(leastMs: number, mostMs = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms === null) throw new InvalidArgumentError(`"${text}" is not a duration such as 5m.`);
    if (ms < leastMs) throw new InvalidArgumentError(`"${text}" is shorter than ${formatDuration(leastMs)}.`);
    if (ms > mostMs) throw new InvalidArgumentError(`"${text}" is longer than ${formatDuration(mostMs)}.`);
    return ms;
  };
}

/** An option that takes a duration between two; the help shows the default `byDefaultMs` as a user writes it. */
export function durationOption(flags: string, description: string, leastMs: number, byDefaultMs: number, mostMs?: number): Option {
  return new Option(flags, description).argParser(duration(leastMs, mostMs)).default(byDefaultMs, formatDuration(byDefaultMs));
}

/** Collects the values of a repeatable option. */
export function listed(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Collects the addresses and networks of a repeatable option; each value may list several, separated by commas. */
export function networks(text: string, before: readonly string[] = []): string[] {
  const given = text.split(",").map((network) => network.trim());
  const invalid = given.find((network) => parseNetwork(network) === null);
  if (invalid !== undefined) throw new InvalidArgumentError(`"${invalid}" is neither an address nor a network such as 10.0.0.0/8.`);
  return [...before, ...given];
}

/** Parses a URL of http or https. */
export function httpAddress(text: string): string {
  const isAddress = /^https?:\/\//i.test(text) && URL.canParse(text) && !/[?#]/.test(text);
  if (!isAddress) throw new InvalidArgumentError(`"${text}" is not a URL such as http://HOST:PORT.`);
  return text;
}

/** Parses signals of OpenTelemetry, separated by commas. */
export function signals(text: string): Signal[] {
  const given = text === "none" ? [] : text.split(",").map((signal) => signal.trim());
  const unknown = given.find((signal) => !SIGNALS.includes(signal as Signal));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${SIGNALS.join(", ")}.`);
  return given as Signal[];
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) throw new InvalidArgumentError(`"${text}" is not a number from 0 to 1.`);
  return value;
}
