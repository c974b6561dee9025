/** How the body that follows a head ends. */
export type Framing = { kind: "none" } | { kind: "length"; bytes: number } | { kind: "chunked" } | { kind: "until-end" };

export interface ResponseHead {
  status: number;
  statusText: string;
  /** Alternating names and values, as received. */
  headers: string[];
  framing: Framing;
  /** The connection can carry another request. */
  keepAlive: boolean;
  /** How long the peer keeps an idle connection, as it announces; null: it does not say. */
  idleMs: number | null;
}

/** An instance's response cannot be passed on; the message says why. */
export class ResponseInvalidError extends Error {}

const STATUS_LINE = /^HTTP\/1\.1 (\d\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
/** Statuses that may precede a response; after 101 another protocol follows. */
const INTERIM = new Set([100, 101, 102, 103]);
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The headers about framing and connection that have been read of a head. */
interface Seen {
  length: string | null;
  chunked: boolean;
  close: boolean;
  connection: boolean;
  idleMs: number | null;
}

/** Reads a head without its closing empty line. Throws `ResponseInvalidError`, also if its framing is ambiguous (RFC 9112, 6.3). */
export function parseHead(text: string, isHead: boolean): ResponseHead {
  const lines = text.split("\r\n");
  const { status, statusText } = readStatusLine(lines[0] as string);
  const headers: string[] = [];
  const seen: Seen = { length: null, chunked: false, close: false, connection: false, idleMs: null };
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon < 1 || !NAME.test(name)) throw new ResponseInvalidError(`not a header: ${quoted(line)}`);
    const value = line.slice(colon + 1).trim();
    if (!VALUE.test(value)) throw new ResponseInvalidError(`not a header: ${quoted(line)}`);
    headers.push(name, value);
    check(name, value, seen);
  }
  if (seen.chunked && seen.length !== null) throw new ResponseInvalidError("a length beside chunks");
  if (status < 200 && isFinal(status, seen)) throw new ResponseInvalidError(`the status ${status} alone: a response has to follow`);
  const framing = framingOf(isHead || status < 200 || status === 204 || status === 304, seen);
  return { status, statusText, headers, framing, keepAlive: !seen.close && framing.kind !== "until-end", idleMs: seen.idleMs };
}

function readStatusLine(line: string): { status: number; statusText: string } {
  const [, code, statusText = ""] = STATUS_LINE.exec(line) ?? [];
  if (code === undefined) throw new ResponseInvalidError(`not a status line: ${quoted(line)}`);
  const status = Number(code);
  if (status > 599 || (status < 200 && !INTERIM.has(status))) throw new ResponseInvalidError(`the status ${code}: a response has one from 200 to 599`);
  return { status, statusText };
}

/** Lowercases only names of three lengths: the others do not matter here. */
function check(name: string, value: string, seen: Seen): void {
  if (name.length === 14 && name.toLowerCase() === "content-length") {
    if (seen.length !== null || !/^\d{1,15}$/.test(value)) throw new ResponseInvalidError(`an unclear length: ${quoted(value)}`);
    seen.length = value;
  } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
    if (seen.chunked || value.toLowerCase() !== "chunked") throw new ResponseInvalidError(`an unclear coding: ${quoted(value)}`);
    seen.chunked = true;
  } else if (name.length === 10) checkConnection(name.toLowerCase(), value, seen);
}

function checkConnection(name: string, value: string, seen: Seen): void {
  if (name === "connection") {
    seen.connection = true;
    seen.close ||= /\bclose\b/i.test(value);
  } else if (name === "keep-alive") {
    const [, seconds] = /\btimeout=(\d{1,6})\b/i.exec(value) ?? [];
    if (seconds !== undefined) seen.idleMs = Number(seconds) * 1000;
  }
}

/** Whether an informational status was meant as the response itself: it announces a body, or says something about its connection. */
function isFinal(status: number, { length, chunked, connection }: Seen): boolean {
  return length !== null || chunked || (connection && status !== 101);
}

function framingOf(bodiless: boolean, { chunked, length }: Seen): Framing {
  if (bodiless || length === "0") return { kind: "none" };
  if (chunked) return { kind: "chunked" };
  return length === null ? { kind: "until-end" } : { kind: "length", bytes: Number(length) };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
