/** Request line and headers of a client. */
export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_HEADERS = 1000;

/** What a router that passes an invocation on adds to its head. Bytes, and headers. */
export const HOP_BYTES = 4 * 1024;
export const HOP_HEADERS = 20;
