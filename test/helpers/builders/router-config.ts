import type { RouterConfig } from "../../../router/config.ts";

/** A router on a free port of loopback that requires no keys and stops at once. */
export function routerConfig(change: Partial<RouterConfig> = {}): RouterConfig {
  const listener = { host: "127.0.0.1", port: 0, advertise: "127.0.0.1", keys: null, ownKey: null, domain: null, trustedProxies: [], keepAliveMs: 65_000 };
  return { ...listener, manageUrl: null, maxBodyBytes: 1000, accessShare: 0, traces: null, exposeErrors: true, unreadyMs: 0, drainMs: 0, ...change };
}
