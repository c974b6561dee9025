import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { decodeFromCompressedBase64 } from "hdr-histogram-js";
import type { Scenario } from "./scenario.ts";

/** The result of a benchmark, as its file holds it in JSON. */
export interface Result {
  /** The machine that it ran on; `stolen` is the share of processor time that the hypervisor took away. */
  machine: Record<string, unknown>;
  /** ISO 8601. */
  date: string;
  /** Older results lack it. */
  platform?: string;
  quick: boolean;
  scenarios: Scenario[];
}

/** A result file that cannot be used. */
export class ResultError extends Error {
  readonly code: "RESULT_UNREADABLE" | "RESULT_INVALID";
  readonly fix: string;

  constructor(code: ResultError["code"], message: string, fix: string) {
    super(message);
    this.code = code;
    this.fix = fix;
  }
}

export function writeResult(file: string, result: Result): void {
  writeReport(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** Writes a file, and the folders above it. */
export function writeReport(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Throws a ResultError. */
export function readResult(file: string): Result {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ResultError("RESULT_UNREADABLE", (error as Error).message, "name a file that a benchmark has written with --out");
  }
  const result = parsed(text);
  if (!isResult(result))
    throw new ResultError("RESULT_INVALID", `${file} is not the result of a benchmark`, "name a file that a benchmark has written with --out");
  return result;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isResult(value: unknown): value is Result {
  const { machine, date, scenarios } = (value ?? {}) as Partial<Record<keyof Result, unknown>>;
  const isHead = typeof machine === "object" && machine !== null && typeof date === "string";
  return isHead && Array.isArray(scenarios) && scenarios.every(isScenario);
}

function isScenario(value: unknown): value is Scenario {
  const { name, n, errors, latencies } = (value ?? {}) as Partial<Scenario>;
  return typeof name === "string" && typeof n === "number" && typeof errors === "number" && (latencies === undefined || isHistogram(latencies));
}

function isHistogram(text: unknown): boolean {
  try {
    return decodeFromCompressedBase64(text as string).totalCount > 0;
  } catch {
    return false;
  }
}
