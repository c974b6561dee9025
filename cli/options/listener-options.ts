import { type Command, Option } from "commander";
import { ApiKeys, KeyFileError } from "../../pool-manager/client/api-keys.ts";
import { CliError, EXIT } from "../errors.ts";

/** Options of every listener. */
export interface ListenerOptions {
  /** The address to listen on. */
  host: string;
  /** The address at which others reach it, if it differs from `host`. */
  advertise?: string;
  /** File with the hashes of accepted keys. */
  apiKeys?: string;
}

export function withListenerOptions(command: Command): Command {
  return command
    .addOption(new Option("--host <address>", "address to listen on; :: for all of them, of IPv4 and of IPv6").env("BERTH_LISTEN").default("127.0.0.1"))
    .addOption(new Option("--advertise <address>", "address that other pool managers and routers reach it at; by default --host").env("BERTH_ADVERTISE"))
    .addOption(new Option("--api-keys <file>", "file of accepted keys (berth key); required if other machines can connect").env("BERTH_API_KEYS"));
}

/** Whether only this machine can connect to a listener on this host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** The accepted keys; null: only this machine can connect, and no key is required. Throws `KEYS_MISSING` or `KEY_FILE`. */
export function keysOf({ host, apiKeys }: ListenerOptions): ApiKeys | null {
  if (!apiKeys) {
    if (isLoopback(host)) return null;
    const fix = "name a file of keys with --api-keys (berth key creates them), or listen on 127.0.0.1";
    throw new CliError("KEYS_MISSING", `other machines can connect to ${host}`, fix, EXIT.usage);
  }
  try {
    return new ApiKeys(apiKeys);
  } catch (error) {
    if (error instanceof KeyFileError) throw new CliError("KEY_FILE", error.message, "berth key NAME --role ROLE prints lines of it", EXIT.usage);
    throw error;
  }
}
