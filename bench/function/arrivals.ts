/**
 * How new functions are invoked for the first time: one after the other, each when the one before has been answered; at an
 * interval; or all at the same moment.
 */
export const ARRIVALS = ["sequential", "staggered", "burst"] as const;
export type Arrivals = (typeof ARRIVALS)[number];
