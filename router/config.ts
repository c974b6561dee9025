import type { ApiKeys } from "../pool-manager/client/api-keys.ts";

export interface RouterConfig {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Address that other routers reach it at. */
  advertise: string;
  /** Who may invoke; null: everybody who reaches it. */
  keys: ApiKeys | null;
  /** What it presents to other routers; null: nothing. */
  ownKey: string | null;
  /** Functions are also reached at `NAME.domain`; null: by path alone. */
  domain: string | null;
  /** Addresses and networks of proxies that are believed what they say of their clients' requests. */
  trustedProxies: readonly string[];
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** Share of invocations, 0 to 1, that are written to standard output as JSON lines. */
  accessShare: number;
  /** Whether callers get to see what functions say of their failures: messages, stacks and paths. */
  exposeErrors: boolean;
  /** A router that stops serves on for this long while it says that it is not ready. Milliseconds. */
  unreadyMs: number;
  /** How long running invocations get after that. Milliseconds. */
  drainMs: number;
}
