/** How the body that follows a head ends. */
export type Framing = { kind: "none" } | { kind: "length"; bytes: number } | { kind: "chunked" } | { kind: "until-end" };

export interface ResponseHead {
  status: number;
  statusText: string;
  /** Names and values by turns, as they came. */
  headers: string[];
  framing: Framing;
  /** The connection may carry another request. */
  keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What a head says about where its message ends. */
interface Seen {
  length: string | null;
  chunked: boolean;
  close: boolean;
}

/** Reads a head without its closing empty line. Throws where its framing could be read in two ways (RFC 9112, 6.3). */
export function parseHead(text: string, isHead: boolean): ResponseHead {
  const lines = text.split("\r\n");
  const [, code, statusText = ""] = STATUS_LINE.exec(lines[0] as string) ?? [];
  if (code === undefined) throw new Error(`not a status line: ${quoted(lines[0] as string)}`);
  const status = Number(code);
  const headers: string[] = [];
  const seen: Seen = { length: null, chunked: false, close: false };
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon < 1 || !NAME.test(name)) throw new Error(`not a header: ${quoted(line)}`);
    const value = line.slice(colon + 1).trim();
    if (!VALUE.test(value)) throw new Error(`not a header: ${quoted(line)}`);
    headers.push(name, value);
    look(name, value, seen);
  }
  if (seen.chunked && seen.length !== null) throw new Error("a length beside chunks");
  const framing = framingOf(isHead || status < 200 || status === 204 || status === 304, seen);
  return { status, statusText, headers, framing, keepAlive: !seen.close && framing.kind !== "until-end" };
}

/** Only names of three lengths matter here: the others need no lower case. */
function look(name: string, value: string, seen: Seen): void {
  if (name.length === 14 && name.toLowerCase() === "content-length") {
    if (seen.length !== null || !/^\d{1,15}$/.test(value)) throw new Error(`an unclear length: ${quoted(value)}`);
    seen.length = value;
  } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
    if (seen.chunked || value.toLowerCase() !== "chunked") throw new Error(`an unclear coding: ${quoted(value)}`);
    seen.chunked = true;
  } else if (name.length === 10 && name.toLowerCase() === "connection") {
    seen.close ||= /\bclose\b/i.test(value);
  }
}

function framingOf(bodiless: boolean, { chunked, length }: Seen): Framing {
  if (bodiless || length === "0") return { kind: "none" };
  if (chunked) return { kind: "chunked" };
  return length === null ? { kind: "until-end" } : { kind: "length", bytes: Number(length) };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
