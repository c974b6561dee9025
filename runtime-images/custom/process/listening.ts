import { get } from "node:http";
import { connect } from "node:net";
import type { RunningCommand } from "./running.ts";

/** Programs listen on all addresses, on that of IPv4, or on that of IPv6 alone. */
const HOSTS = ["127.0.0.1", "::1"];
/** No event tells that another process listens: it is asked, first often. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** How often the addresses are looked up on which a command listens that does not listen where it should. */
const LOOK_MS = 500;
/** How long one answer of the health path is awaited. */
const ANSWER_MS = 5000;

interface Wanted {
  port: number;
  /** A path that must answer with a status from 200 to 299; null: a connection is enough. */
  health: string | null;
}

type Listening = Pick<RunningCommand, "hasEnded" | "exited" | "addresses">;
type WaitsFor = (what: string) => void;

/** Resolves with the address on which the command listens. Rejects once the command has ended, with how; the supervisor ends what takes too long. */
export async function listening(command: Listening, wanted: Wanted, waitsFor: WaitsFor): Promise<string> {
  waitsFor(notListening(wanted.port, []));
  const look = setInterval(() => lookElsewhere(command, wanted.port, waitsFor), LOOK_MS);
  try {
    return await reached(command, wanted, waitsFor);
  } finally {
    clearInterval(look);
  }
}

async function reached(command: Listening, { port, health }: Wanted, waitsFor: WaitsFor): Promise<string> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    if (command.hasEnded) throw await command.exited;
    for (const host of HOSTS) {
      if (!(await accepts(host, port)) || command.hasEnded) continue;
      const fault = health === null ? null : await healthFault(host, port, health);
      if (fault === null) return host;
      waitsFor(`the command listens, and its health path ${health} ${fault}`);
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, pause)), command.exited]);
  }
}

/** Many programs listen on a port of their own unless they are told, or on one address alone. */
function lookElsewhere(command: Listening, port: number, waitsFor: WaitsFor): void {
  const addresses = command.addresses();
  const listens = addresses.some((address) => address.endsWith(`:${port}`) && isReached(address));
  if (addresses.length > 0 && !listens) waitsFor(notListening(port, addresses));
}

/** Whether a socket of this address accepts connections to one of `HOSTS`. */
function isReached(address: string): boolean {
  return ["0.0.0.0", "127.0.0.1", "[::]", "[::1]"].includes(address.slice(0, address.lastIndexOf(":")));
}

function notListening(port: number, addresses: readonly string[]): string {
  return `the command does not listen on port ${port} ($PORT)${addresses.length > 0 ? ` but on ${addresses.join(", ")}` : ""}`;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => end(true)).on("error", () => end(false));
  });
}

/** Null: it is healthy. */
function healthFault(host: string, port: number, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const req = get({ host, port, path, agent: false, timeout: ANSWER_MS }, (res) => {
      res.resume();
      const { statusCode = 0 } = res;
      resolve(statusCode >= 200 && statusCode < 300 ? null : `answers ${statusCode}`);
    });
    req.on("timeout", () => req.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    req.on("error", (error) => resolve(`fails: ${error.message}`));
  });
}
