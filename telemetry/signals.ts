/** The kinds of data that OpenTelemetry's protocol carries. */
export const SIGNALS = ["traces", "metrics", "logs"] as const;
export type Signal = (typeof SIGNALS)[number];
