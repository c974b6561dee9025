import type { ApiKeys } from "../pool-manager/client/api-keys.ts";

export interface RouterConfig {
  host: string;
  /** 0: any free port. */
  port: number;
  /** The address at which other routers reach this router. */
  advertise: string;
  /** Keys that may invoke; null: no key is required. */
  keys: ApiKeys | null;
  /** The key that this router presents to other routers; null: none. */
  ownKey: string | null;
  /** The domain under which functions are also reached, as `NAME.domain`; null: by path alone. */
  domain: string | null;
  /** Addresses and networks of proxies whose forwarding headers are trusted. */
  trustedProxies: readonly string[];
  /** URL of the manage API, to which OpenFaaS's `/system/…` is passed on; null: it is not. */
  manageUrl: string | null;
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** How long a client's connection may be idle between requests. */
  keepAliveMs: number;
  /** Share of invocations, 0 to 1, that are written to standard output as JSON lines. */
  accessShare: number;
  /** Where traces go (null: by OpenTelemetry's variables), and the share of invocations that is sampled; null: traces are off, and `traceparent` is passed on unchanged. */
  traces: { endpoint: string | null; share: number; version: string } | null;
  /** Whether clients receive the messages, stacks and paths of functions' failures. */
  exposeErrors: boolean;
  /** How long a stopping router still serves while it reports that it is not ready. */
  unreadyMs: number;
  /** How long running invocations may take after that. */
  drainMs: number;
}
