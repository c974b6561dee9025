import type { StartKind } from "../pool-manager/client/contract.ts";

/** One answered invocation. It has no path and no query, since they may contain secrets. */
export interface Access {
  callId: string;
  function: string;
  /** Empty if no instance was reached. */
  revision: string;
  method: string;
  status: number;
  start: StartKind;
  /** The time before the function ran. */
  overheadMs: number;
  totalMs: number;
  /** Where traces are on. */
  traceId?: string | undefined;
}

/** Writes a share of the invocations as JSON lines. */
export class AccessLog {
  readonly #share: number;
  readonly #write: (line: string) => unknown;

  /** `share` from 0 (none) to 1 (all). */
  constructor(share: number, write: (line: string) => unknown) {
    this.#share = share;
    this.#write = write;
  }

  add(access: Access): void {
    if (this.#share < 1 && Math.random() >= this.#share) return;
    const { overheadMs, totalMs } = access;
    this.#write(`${JSON.stringify({ time: new Date().toISOString(), ...access, overheadMs: rounded(overheadMs), totalMs: rounded(totalMs) })}\n`);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
