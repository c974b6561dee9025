/** The idle timeout that follows from a function's recorded idle times. */
export const AUTO = "auto";

/** How long an instance of such a function is idle while too little is recorded. */
export const STANDARD_IDLE_MS = 600_000;
