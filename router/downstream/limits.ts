/** Limits of a client's request: request line and headers together, and the number of headers. */
export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_HEADERS = 1000;

/** The most that a router adds to the head of an invocation that it passes on. */
export const HOP_BYTES = 4 * 1024;
export const HOP_HEADERS = 20;
