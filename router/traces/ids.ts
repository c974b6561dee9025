import { randomBytes } from "node:crypto";

export const newTraceId = (): string => hex(16);
export const newSpanId = (): string => hex(8);

/** Random bytes are fetched for many ids at once: a call for each takes longer than the rest of an id. */
const POOL_BYTES = 4096;
let pool = "";
let at = 0;

function hex(bytes: number): string {
  if (at + 2 * bytes > pool.length) {
    pool = randomBytes(POOL_BYTES).toString("hex");
    at = 0;
  }
  const id = pool.slice(at, at + 2 * bytes);
  at += 2 * bytes;
  // The specification forbids an id of zeros.
  return /^0+$/.test(id) ? hex(bytes) : id;
}
