import { Dice } from "../dice.ts";

/** A request as bytes, and what has to become of it. */
export interface MadeRequest {
  bytes: string;
  /** The end of its head. */
  headSize: number;
  /** Path that the instance sees. */
  path: string;
  method: string;
  host: string;
  body: string;
  /** Headers that have to arrive as they are, in this order, with names in lower case. */
  passed: [string, string][];
  /** It has to be refused: what is wrong with it. */
  wrong: string | null;
}

const NOMINATED = [
  ..."content-length|Content-Length|CONTENT-LENGTH|transfer-encoding|Transfer-Encoding|host|Host|x-berth-function|X-Berth-Function".split("|"),
  ...'x-berth-revision|x-berth-key|X-BERTH-KEY|x-call-id|x-forwarded-for|connection|keep-alive|te|x-a|X-A|x-b|cookie||"host"|x_a'.split("|"),
];
const FORGED = [
  "X-Berth-Function: other",
  "x-berth-key: forged",
  "X-BERTH-REFUSED: stale",
  "x-berth-parked: 1",
  "Keep-Alive: timeout=1",
  "TE: trailers",
  "Proxy-Connection: keep-alive",
  "Upgrade: h2c",
];
const HOSTS = ["x", "F.example:80", "[::1]:8080", "", "a-b.c_d."];
const WRONG_HOSTS = ["a b", "foo:99999", "a/b", "a@b", "[::1", "a:b", "a,b c", "http://x"];
/** Bodies that a parser takes for requests if it counts their length wrongly. */
const INNER = [
  "DELETE /evil HTTP/1.1\r\nHost: evil\r\nX-Ignore: ",
  "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
  "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
  "\r\n\r\nPOST /evil HTTP/1.1\r\nHost: evil\r\nContent-Length: 100000\r\n\r\n",
];

/** Makes requests for `/function/f/ID`, most of them right, of all shapes. */
export class RequestMaker extends Dice {
  #made = 0;

  make(): MadeRequest {
    this.#made += 1;
    const path = `/${this.#made}`;
    const body = this.#body();
    const framing = this.#framing(body);
    const host = this.#host();
    const nominated = new Set<string>();
    const lines = [...framing.lines, ...host.lines, ...this.#others(nominated)];
    this.#shuffle(lines);
    const method = body === "" ? this.pick(["GET", "POST", "DELETE", "OPTIONS", "PURGE"]) : this.pick(["POST", "PUT", "GET", "PATCH"]);
    const target = this.chance(0.05) ? `http://${host.value || "x"}` : "";
    const head = `${method} ${target}/function/f${path} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
    const passed = lines.flatMap((line): [string, string][] => {
      const [, name = "", value = ""] = /^(x-[a-z]\d*|cookie): ?(.*)$/i.exec(line) ?? [];
      return name === "" || nominated.has(name.toLowerCase()) ? [] : [[name.toLowerCase(), value.trim()]];
    });
    const wrong = framing.wrong ?? host.wrong ?? (lines.length > 1000 ? "too many headers" : null);
    const seen = target === "" ? host.value : host.value || "x";
    return { bytes: head + framing.body, headSize: head.length, path, method, host: seen, body, passed, wrong };
  }

  #body(): string {
    const kind = this.next();
    if (kind < 0.4) return "";
    if (kind < 0.7) return this.pick(INNER);
    if (kind < 0.97) return "b".repeat(1 + this.below(300));
    return this.pick(INNER) + "large".repeat(14_000 + this.below(6000));
  }

  #framing(body: string): { lines: string[]; body: string; wrong: string | null } {
    const size = body.length;
    if (this.chance(0.06)) return { lines: this.#wrongFraming(size), body, wrong: "its framing" };
    if (size === 0 && this.chance(0.6)) return { lines: [], body, wrong: null };
    const expect = size > 0 && this.chance(0.05) ? ["Expect: 100-continue"] : [];
    if (this.chance(0.5))
      return {
        lines: [...expect, `${this.pick(["Content-Length", "content-length", "CONTENT-LENGTH"])}:${this.pick(["", " ", " \t"])}${size}`],
        body,
        wrong: null,
      };
    return {
      lines: [...expect, `${this.pick(["Transfer-Encoding", "TRANSFER-ENCODING"])}: ${this.pick(["chunked", "Chunked", " chunked "])}`],
      body: this.#chunked(body),
      wrong: null,
    };
  }

  #wrongFraming(size: number): string[] {
    const more = size + 5;
    return this.pick([
      [`Content-Length: ${size}`, `Content-Length: ${size}`],
      [`Content-Length: ${size}`, `Content-Length: ${more}`],
      [`Content-Length: ${size}, ${size}`],
      [`Content-Length: +${size}`],
      [`Content-Length: ${size}`, "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: xchunked"],
      ["Transfer-Encoding: chunked, identity"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
      [`Content-Length : ${size}`],
      ["X-Fold: a\r\n b", `Content-Length: ${size}`],
      [`X-Bare: a\nContent-Length: ${size}`],
      [`X-Zero: a\0b`, `Content-Length: ${size}`],
    ]);
  }

  #chunked(body: string): string {
    let text = "";
    for (let at = 0; at < body.length; ) {
      const size = Math.min(body.length - at, 1 + this.below(body.length > 1000 ? 40_000 : 60));
      text += `${size.toString(16)}${this.chance(0.1) ? ";a=b" : ""}\r\n${body.slice(at, at + size)}\r\n`;
      at += size;
    }
    return `${text}0\r\n${this.chance(0.1) ? "X-Trailer: 1\r\n" : ""}\r\n`;
  }

  #host(): { lines: string[]; value: string; wrong: string | null } {
    if (this.chance(0.95)) {
      const value = this.pick(HOSTS);
      return { lines: [`${this.pick(["Host", "host", "HOST"])}: ${value}`], value, wrong: null };
    }
    const lines = this.pick([[], ["Host: a", "Host: b"], ["Host: a", "host: a"], [`Host: ${this.pick(WRONG_HOSTS)}`]]);
    return { lines, value: "", wrong: "its Host" };
  }

  #others(nominated: Set<string>): string[] {
    const lines = this.chance(0.5) ? ["X-A: 1", `Cookie: a=${this.below(9)}`, "x-b:  two words "] : [];
    for (let i = this.below(4); i > 0; i--) lines.push(this.pick(FORGED));
    for (let i = this.below(3); i > 0; i--) {
      const names = Array.from({ length: 1 + this.below(4) }, () => this.pick(NOMINATED));
      for (const name of names) nominated.add(name.toLowerCase());
      lines.push(`${this.pick(["Connection", "connection", "CONNECTION"])}: ${names.join(this.pick([",", ", ", " ,\t"]))}`);
    }
    if (this.chance(0.1)) lines.push("X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 2.2.2.2");
    const many = this.chance(0.04) ? this.below(3000) : 0;
    for (let i = 0; i < many; i++) lines.push(`x-n${i % 10}:`);
    return lines;
  }

  #shuffle(lines: string[]): void {
    for (let i = lines.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [lines[i], lines[j]] = [lines[j] as string, lines[i] as string];
    }
  }
}
