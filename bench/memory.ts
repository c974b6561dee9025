import { connect, createServer } from "node:net";
import type { TableFunction } from "../pool-manager/client/contract.ts";
import type { Scenario } from "./report/scenario.ts";
import { router, tableServer } from "./router/fronts.ts";
import type { Progress } from "./scenarios.ts";
import { privateMb } from "./subject.ts";

const CONNECTIONS = 32;
/** The number of requests that a connection sends ahead, so that the router never waits for the driver: only its memory is measured. */
const AHEAD = 8;
const REQUEST = "GET /function/hello HTTP/1.1\r\nhost: bench\r\n\r\n";
const BODY = "the end of an answer";
/** The number of samples of memory, whose median is taken: garbage collection makes memory rise and fall. */
const CHECKS = 40;
const CHECK_INTERVAL_MS = 250;

/** The router's private memory after `first` invocations and after ten times as many, with an instance that costs next to nothing. */
export async function memoryGrowth(first: number, progress: Progress): Promise<Scenario[]> {
  const instance = createServer((socket) => {
    const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
    socket.setNoDelay(true).on("error", () => {});
    socket.on("data", () => socket.write(answer));
  });
  await new Promise<void>((resolve) => instance.listen(0, "127.0.0.1", resolve));
  const { port } = instance.address() as { port: number };
  const table = await tableServer([hello(port)]);
  const front = await router("berth", table.url);
  const load = new Load(front.url);
  try {
    const found: number[] = [];
    const began = performance.now();
    for (const goal of [first, 10 * first]) {
      await load.reach(goal, (done) => progress("memory", Math.floor((100 * done) / (10 * first)) || 1, 100));
      found.push(await median(() => privateMb(front.pid)));
      process.stderr.write(`${load.done} invocations in ${Math.round((performance.now() - began) / 1000)} s: ${found.at(-1)} MB\n`);
    }
    const [early = 0, late = 0] = found;
    const note = `${early} MB after ${first} invocations, ${late} MB after ${10 * first}: ${Math.round((100 * late) / early) / 100} times`;
    return [{ name: "memory", n: load.done, errors: load.errors, note }];
  } finally {
    load.stop();
    await front.stop();
    table.close();
    instance.close();
  }
}

/** A closed loop over raw connections. */
class Load {
  done = 0;
  errors = 0;
  #stopped = false;
  #watch: (done: number) => void = () => {};

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    for (let i = 0; i < CONNECTIONS; i++) {
      const socket = connect(Number(port), hostname).setNoDelay(true);
      let rest = "";
      socket.on("error", () => {});
      socket.on("close", () => {
        if (!this.#stopped) this.errors += 1;
      });
      socket.on("data", (chunk) => {
        const parts = (rest + chunk.toString("latin1")).split(BODY);
        rest = parts.pop() ?? "";
        for (const head of parts) if (!head.startsWith("HTTP/1.1 200")) this.errors += 1;
        this.done += parts.length;
        this.#watch(this.done);
        if (this.#stopped) socket.destroy();
        else if (parts.length > 0) socket.write(REQUEST.repeat(parts.length));
      });
      socket.write(REQUEST.repeat(AHEAD));
    }
  }

  reach(goal: number, report: (done: number) => void): Promise<void> {
    return new Promise((resolve) => {
      let reported = 0;
      this.#watch = (done) => {
        if (done - reported > goal / 1000) report(done);
        reported = done - (done % Math.ceil(goal / 1000));
        if (done >= goal) resolve();
      };
    });
  }

  stop(): void {
    this.#stopped = true;
  }
}

async function median(check: () => number): Promise<number> {
  const found: number[] = [];
  for (let i = 0; i < CHECKS; i++) {
    found.push(check());
    await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL_MS));
  }
  return found.sort((a, b) => a - b)[CHECKS / 2] as number;
}

function hello(port: number): TableFunction {
  const limits = { concurrency: 1000, timeoutMs: 30_000, loadTimeoutMs: 1000, queueDepth: 1000, queueTimeoutMs: 30_000, expectedStartMs: 100 };
  const endpoint = {
    instanceUid: "i",
    bootId: "b",
    epoch: 1,
    host: "127.0.0.1",
    port,
    key: null,
    revision: "r1",
    loaded: true,
    start: "warm",
    claimMs: 0,
  } as const;
  return { key: "f", uid: "f", name: "hello", revision: "r1", split: [], aliases: {}, ...limits, endpoints: [endpoint], failure: null, blocked: null };
}
