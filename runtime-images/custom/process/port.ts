import { readFileSync } from "node:fs";
import { createServer, type ListenOptions, type Server } from "node:net";
import { ALL_ADDRESSES, listenHost } from "../../protocol/listen-host.ts";

/** The kernel gives connections and listeners without a port of their own one of this range. */
const EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range";
const FIRST = 10_000;
/** Where the range is not known. */
const LAST = 32_767;
const ATTEMPTS = 100;

/**
 * A port for a command, below those that the kernel gives to others meanwhile. While this process lives, no other worker
 * chooses it: an abstract socket of Linux stands for it. A slow program could otherwise find its port taken by another
 * function, whose answers its callers would get.
 */
export async function reservePort(): Promise<number> {
  const last = lastPort();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (last - FIRST + 1));
    const mark = process.platform === "linux" ? await listen({ path: `\0berth-port-${port}` }) : null;
    if (mark === null && process.platform === "linux") continue;
    const probe = await listen({ port, host: listenHost(ALL_ADDRESSES) });
    if (probe !== null) {
      await new Promise((resolve) => probe.close(resolve));
      return port;
    }
    mark?.close();
  }
  throw new Error(`no port from ${FIRST} to ${last} is free`);
}

function lastPort(): number {
  try {
    const [first] = readFileSync(EPHEMERAL, "utf8").trim().split(/\s+/).map(Number);
    return first && first > FIRST + 1000 ? first - 1 : LAST;
  } catch {
    return LAST;
  }
}

/** Null: the address is taken. */
function listen(options: ListenOptions): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(options, () => resolve(server));
    server.unref();
  });
}
