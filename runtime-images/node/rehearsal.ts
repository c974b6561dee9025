/** A module in the instance's directory that a spare worker imports to have used the module loader once. */
export const REHEARSAL_MODULE = "rehearsal.mjs";

/** Call id of the request that a spare worker sends to itself; its output is dropped. */
export const REHEARSAL_CALL = "rehearsal";
