import { ManagerError } from "../../errors.ts";

/** Names that affect the instance's process rather than the function. */
const RESERVED = /^(NODE_OPTIONS|LD_PRELOAD|LD_LIBRARY_PATH|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|BERTH_.*)$/;

/** Names that Node, libuv and OpenSSL read only when a process starts, which is before the instance gets its function. */
const READ_AT_START = new Set([
  "NODE_COMPILE_CACHE",
  "NODE_COMPILE_CACHE_PORTABLE",
  "NODE_DEBUG",
  "NODE_DEBUG_NATIVE",
  "NODE_DISABLE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "NODE_ICU_DATA",
  "NODE_NO_WARNINGS",
  "NODE_PATH",
  "NODE_PENDING_DEPRECATION",
  "NODE_PRESERVE_SYMLINKS",
  "NODE_PRESERVE_SYMLINKS_MAIN",
  "NODE_REDIRECT_WARNINGS",
  "NODE_SKIP_PLATFORM_CHECK",
  "NODE_USE_ENV_PROXY",
  "NODE_USE_SYSTEM_CA",
  "NODE_V8_COVERAGE",
  "OPENSSL_CONF",
  "UV_USE_IO_URING",
]);

const INSTEAD: Record<string, string> = {
  NODE_EXTRA_CA_CERTS: "; give the certificates to the client in code, as the option ca",
  NODE_PATH: "; bundled code needs no search path",
};

/** Those that Berth gives to a command. It starts after its instance got the function, so all others have their effect. */
const OF_COMMANDS = /^(PORT|AWS_LAMBDA_RUNTIME_API|BERTH_.*)$/;

/** Why a function of this runtime cannot have a variable of this name; null if it can. */
export function refusal(name: string, runtime: string): string | null {
  if (runtime === "custom") return OF_COMMANDS.test(name) ? "is reserved: Berth sets it" : null;
  if (READ_AT_START.has(name)) {
    return `is read only when a process starts, and instances start before they get a function: it would have no effect${INSTEAD[name] ?? ""}`;
  }
  return RESERVED.test(name) ? "is reserved: it would change the instance's process, not the function" : null;
}

/** Variables after a merge patch (RFC 7386): those that it leaves out stay, null removes one, and a null patch removes all. */
export function merged(kept: Record<string, string>, change: Record<string, string | null> | null | undefined): Record<string, string> {
  if (change === null) return {};
  const all = Object.entries({ ...kept, ...change });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}

/** Throws `SECRETS_LOST` rather than let a function silently keep secrets without values. */
export function refuseLost(functionName: string, lost: readonly string[]): void {
  if (lost.length > 0) throw new ManagerError("SECRETS_LOST", `the values of secrets of ${functionName} are lost: ${lost.join(", ")}`, "secrets");
}
