import { BlockList, isIP } from "node:net";
import type { Exchange } from "./exchange.ts";

/** Decides how much of a sender's claims about its client's request is believed. Asked only if it makes any. */
export interface Beliefs {
  trusts(exchange: Exchange): boolean;
  /** The part of its `x-forwarded-for` that is believed. */
  believed(exchange: Exchange, list: string): string;
}

interface Network {
  address: string;
  bits: number;
  family: "ipv4" | "ipv6";
}

/** Parses an address or a network (`10.0.0.0/8`); null: it is neither. */
export function parseNetwork(text: string): Network | null {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const most = version === 4 ? 32 : 128;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)) return null;
  return { address, bits: bits === undefined ? most : Number(bits), family: version === 4 ? "ipv4" : "ipv6" };
}

/** The proxies whose claims about their clients' requests are trusted. */
export class TrustedProxies {
  readonly #networks = new BlockList();

  constructor(proxies: readonly string[]) {
    for (const text of proxies) {
      const network = parseNetwork(text);
      if (!network) throw new Error(`${JSON.stringify(text)} is not an address or a network`);
      this.#networks.addSubnet(network.address, network.bits, network.family);
    }
  }

  /**
   * The credible part of an `x-forwarded-for` that a trusted proxy has sent: from its end, the addresses of trusted proxies
   * and the one that the last of these has seen. Anything before that is the client's word.
   */
  believed(list: string): string {
    const entries = list.split(",").map((entry) => entry.trim());
    let from = entries.length - 1;
    while (from > 0 && this.has(entries[from] ?? "")) from -= 1;
    return entries.slice(Math.max(from, 0)).join(", ");
  }

  /** IPv4 addresses in IPv6 notation, as sockets that take both have them, count as what they stand for. */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#networks.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}
