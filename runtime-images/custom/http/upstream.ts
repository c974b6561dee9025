import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { BERTH_PREFIX } from "../../protocol/headers.ts";
import type { RunningCommand } from "../process/running.ts";

/** Where a function's command listens. */
export interface Upstream {
  host: string;
  port: number;
  /** Undefined: it is part of this process. */
  command: Pick<RunningCommand, "exited"> | undefined;
}

/** How long an idle connection is kept: programs close theirs after some seconds, and a request may cross that. */
const IDLE_MS = 1000;
/** How long the end of a command is awaited whose connection has broken. */
const END_MS = 300;

/** They are between two neighbours (RFC 9110, 7.6.1). Framing is passed on as it is. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "te", "upgrade"]);

const kept = new Agent({ keepAlive: true, timeout: IDLE_MS, maxFreeSockets: 64 });

/** Requests that may be sent a second time if their connection was closed before an answer (RFC 9110, 9.2.1). */
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a request may go over a connection that was used before, which its program may be about to close. */
export function isRepeatable({ method = "", headers }: IncomingMessage): boolean {
  return SAFE.has(method) && headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
}

/** A request to the command that is like that of the router. */
export function requestTo({ host, port }: Upstream, req: IncomingMessage, { isKept, more = [] }: { isKept: boolean; more?: readonly string[] }): ClientRequest {
  const headers = [...between(req.rawHeaders, (name) => name !== "expect" && !name.startsWith(BERTH_PREFIX)), ...more];
  return request({ host, port, method: req.method, path: req.url, headers, setHost: false, agent: isKept ? kept : false });
}

/** Raw headers without those of one connection; `keeps` leaves out more, by their names in lower case. */
export function between(raw: readonly string[], keeps: (name: string) => boolean = () => true): string[] {
  const named = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]?.toLowerCase() === "connection") for (const name of (raw[i + 1] as string).split(",")) named.add(name.trim().toLowerCase());
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named.has(name) && keeps(name)) headers.push(raw[i] as string, raw[i + 1] as string);
  }
  return headers;
}

/** How the command ended, if it did, since its connection has broken. */
export async function endOf({ command }: Upstream): Promise<string | null> {
  if (!command) return null;
  return Promise.race([command.exited, new Promise<null>((resolve) => setTimeout(resolve, END_MS, null).unref())]);
}
