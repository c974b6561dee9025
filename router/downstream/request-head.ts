import { isHost } from "./host.ts";
import { MAX_HEADERS } from "./limits.ts";

/** A request with unambiguous framing and a complete body. */
export interface WholeRequest {
  method: string;
  url: string;
  host: string;
  rawHeaders: string[];
  body: Buffer | null;
  /** The client asks for the connection to end with the response. */
  close: boolean;
  /** The client opens a WebSocket. */
  upgrade: boolean;
  /** How many bytes of the connection the request takes up. */
  size: number;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const REQUEST_LINE = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\/[\x21\x22\x24-\x7e]*) HTTP\/1\.1$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const SPACE = 32;
const TAB = 9;

/** The headers about framing and connection that have been read of a head. */
interface Seen {
  host: string | null;
  length: number | null;
  close: boolean;
  /** `upgrades`: `Connection` names an upgrade; `websocket`: `Upgrade` names WebSocket. */
  upgrades: boolean;
  websocket: boolean;
  /** The request needs a full parser. */
  unusual: boolean;
}

/** Whether these bytes contain the end of a head. */
export function hasHead(bytes: Buffer): boolean {
  return bytes.includes(HEAD_END);
}

/**
 * Reads the request at the start of these bytes if it is complete and of the plainest form, which llhttp, nginx and this
 * function cannot read differently. Null for all others, valid or not, which are for a full parser. Sizes are in bytes.
 */
export function parseRequest(bytes: Buffer, maxHead: number, maxBody: number): WholeRequest | null {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0 || end > maxHead) return null;
  const lines = bytes.toString("latin1", 0, end).split("\r\n");
  const [, method, url] = REQUEST_LINE.exec(lines[0] as string) ?? [];
  if (method === undefined || url === undefined) return null;
  if (lines.length - 1 > MAX_HEADERS) return null;
  const rawHeaders: string[] = [];
  const { unusual, host, upgrades, websocket, length, close } = readFields(lines, rawHeaders);
  if (unusual || host === null || !isHost(host) || upgrades !== websocket) return null;
  if (websocket && (method !== "GET" || length)) return null;
  const bodyAt = end + HEAD_END.length;
  const size = bodyAt + (length ?? 0);
  if (size - bodyAt > maxBody || size > bytes.length) return null;
  const body = size > bodyAt ? bytes.subarray(bodyAt, size) : null;
  return { method, url, host, rawHeaders, body, close, upgrade: websocket, size };
}

function readFields(lines: readonly string[], rawHeaders: string[]): Seen {
  const seen: Seen = { host: null, length: null, close: false, upgrades: false, websocket: false, unusual: false };
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = trimmed(line, colon + 1);
    seen.unusual ||= colon < 1 || !NAME.test(name) || !VALUE.test(value);
    rawHeaders.push(name, value);
    check(name, value, seen);
  }
  return seen;
}

/** Lowercases only names of these lengths: the others do not matter here. */
function check(name: string, value: string, seen: Seen): void {
  switch (name.length) {
    case 4:
      if (name.toLowerCase() === "host") checkHost(value, seen);
      break;
    case 6:
      seen.unusual ||= name.toLowerCase() === "expect";
      break;
    case 7:
      if (name.toLowerCase() === "upgrade") checkUpgrade(value.toLowerCase(), seen);
      break;
    case 10:
      if (name.toLowerCase() === "connection") checkConnection(value.toLowerCase(), seen);
      break;
    case 14:
      if (name.toLowerCase() === "content-length") {
        seen.unusual ||= seen.length !== null || !/^\d{1,9}$/.test(value);
        seen.length = Number(value);
      }
      break;
    case 17:
      seen.unusual ||= name.toLowerCase() === "transfer-encoding";
  }
}

function checkHost(value: string, seen: Seen): void {
  seen.unusual ||= seen.host !== null;
  seen.host = value;
}

/** Reads a list of tokens; a token that names a header needs the full parser. */
function checkConnection(value: string, seen: Seen): void {
  for (const token of value === "keep-alive" ? [] : value.split(",")) {
    const option = token.trim();
    if (option === "close") seen.close = true;
    else if (option === "upgrade") seen.upgrades = true;
    else if (option !== "keep-alive" && option !== "") seen.unusual = true;
  }
}

function checkUpgrade(value: string, seen: Seen): void {
  if (value === "websocket" && !seen.websocket) seen.websocket = true;
  else seen.unusual = true;
}

/** The value without surrounding spaces and tabs; `trim` would remove other characters too. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
