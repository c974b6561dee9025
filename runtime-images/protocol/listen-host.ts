/** The address that stands for all of a machine or pod: on networks of IPv4, of IPv6, and of both. */
export const ALL_ADDRESSES = "::";

/** The host that `listen` gets. Node takes connections of both families if it is left out, and of IPv4 alone where the kernel has no IPv6; named, `::` would fail there. */
export function listenHost(host: string): string | undefined {
  return host === ALL_ADDRESSES ? undefined : host;
}

/** An address at which a process reaches its own listener. Each network has this loopback address, and a listener of both families takes it. */
export function ownHost(host: string): string {
  return host === ALL_ADDRESSES ? "127.0.0.1" : host;
}

/** A peer's address as it is written: a listener of both families has those of IPv4 as `::ffff:10.0.0.1`. */
export function peerAddress(address = ""): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}
