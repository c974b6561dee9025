import { type Command, Option } from "commander";
import type { RouterConfig } from "../../router/config.ts";
import { packageVersion } from "../package-root.ts";
import { durationOption, integer, networks, share } from "./arguments.ts";
import { isLoopback, keysOf, type ListenerOptions } from "./listener-options.ts";
import { signalsOf, type TelemetryOptions } from "./telemetry-options.ts";

/** Share of the traces that is sampled by default. */
const TRACE_SHARE = 0.01;
/** Longer than the minute for which most proxies keep idle connections. */
const KEEP_ALIVE_MS = 65_000;

/** Options of every router, in the pool manager's process or in one of its own. */
export interface RouterOptions extends ListenerOptions, TelemetryOptions {
  routerPort: number;
  maxBody: number;
  /** The domain under which functions are also reached, as `NAME.domain`. */
  domain?: string;
  /** Addresses and networks of trusted proxies in front of it. */
  trustProxy?: string[];
  /** How long a client's connection may be idle, in milliseconds. */
  keepAlive?: number;
  /** Share of invocations that are logged, 0 to 1. */
  accessLog?: number;
  /** Share of the traces that is sampled, 0 to 1. */
  traceShare?: number;
  /** URL of the manage API for clients of OpenFaaS; undefined: they are not served. */
  manageUrl?: string;
  /** Undefined: true if only this machine can connect. */
  exposeErrors?: boolean;
}

export function withRouterOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--router-port <port>", "port for invocations; 0 for any free one").env("BERTH_ROUTER_PORT").default(8080).argParser(integer(0, 65_535)),
    )
    .addOption(
      new Option("--max-body <bytes>", "maximum size of a request body")
        .env("BERTH_MAX_BODY")
        .default(16 * 1024 * 1024)
        .argParser(integer(0, 2 ** 40)),
    )
    .addOption(new Option("--domain <name>", "serve functions at NAME.<name> too, by the Host header").env("BERTH_DOMAIN"))
    .addOption(
      new Option(
        "--trust-proxy <network>",
        "proxies that are trusted to report the scheme, host and prefix of their clients' URLs: addresses or networks such as 10.0.0.0/8, separated by commas",
      )
        .env("BERTH_TRUST_PROXY")
        .argParser(networks),
    )
    .addOption(
      durationOption(
        "--keep-alive <time>",
        "how long a client's connection may be idle between requests, such as 620s: longer than the proxy in front keeps its own, which would send a request on a connection that ends",
        1000,
        KEEP_ALIVE_MS,
        86_400_000,
      ).env("BERTH_KEEP_ALIVE"),
    )
    .addOption(
      new Option("--access-log <share>", "share of the invocations, 0 to 1, that are logged to standard output as JSON lines")
        .env("BERTH_ACCESS_LOG")
        .default(0)
        .argParser(share),
    )
    .addOption(
      new Option("--trace-share <share>", "share of the traces, 0 to 1, that is sampled; a caller's own decision holds")
        .env("BERTH_TRACE_SHARE")
        .default(TRACE_SHARE)
        .argParser(share),
    )
    .option("--expose-errors", "callers see messages and stacks of functions' errors; by default if only this machine can connect")
    .option("--no-expose-errors", "callers see a code and a sentence; the rest is in the logs");
}

/** `ownKey`, `unreadyMs` and `drainMs`: see RouterConfig. */
export function routerConfig(options: RouterOptions, ownKey: string | null, unreadyMs: number, drainMs: number): RouterConfig {
  const { host, advertise, routerPort, maxBody, domain, trustProxy, keepAlive, accessLog, otlpEndpoint, traceShare } = options;
  const hasTraces = signalsOf(options).has("traces");
  return {
    host,
    port: routerPort,
    advertise: advertise ?? host,
    keys: keysOf(options),
    ownKey,
    domain: domain ?? null,
    trustedProxies: trustProxy ?? [],
    maxBodyBytes: maxBody,
    keepAliveMs: keepAlive ?? KEEP_ALIVE_MS,
    accessShare: accessLog ?? 0,
    traces: hasTraces ? { endpoint: otlpEndpoint ?? null, share: traceShare ?? TRACE_SHARE, version: packageVersion() } : null,
    manageUrl: options.manageUrl ?? null,
    exposeErrors: options.exposeErrors ?? isLoopback(host),
    unreadyMs,
    drainMs,
  };
}
