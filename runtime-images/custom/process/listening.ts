import { get } from "node:http";
import { connect } from "node:net";
import type { RunningCommand } from "./running.ts";

/** Programs listen on all addresses, on that of IPv4, or on that of IPv6 alone. */
const HOSTS = ["127.0.0.1", "::1"];
/** No event tells that another process listens: it is asked, first often. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** How long one answer of the health path is awaited. */
const ANSWER_MS = 5000;

interface Wanted {
  port: number;
  /** A path that must answer with a status from 200 to 299; null: a connection is enough. */
  health: string | null;
}

/** Resolves with the address on which the command listens. Rejects once the command has ended, with how; the supervisor ends what takes too long. */
export async function listening(
  command: Pick<RunningCommand, "hasEnded" | "exited">,
  { port, health }: Wanted,
  waitsFor: (what: string) => void,
): Promise<string> {
  waitsFor(`the command does not listen on port ${port} ($PORT)`);
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
