import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { build, type Histogram } from "hdr-histogram-js";

/** One request of an open-loop run. */
export interface Shot {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Outcome {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
  /** From the intended send to the first byte of the response. */
  firstByteMs: number;
  error: string | null;
}

export interface Shots {
  count: number;
  shot(index: number): Shot;
  onOutcome?(outcome: Outcome, index: number): void;
  timeoutMs?: number;
}

export interface OpenLoop extends Shots {
  /** Requests per second on average; the gaps are exponential (Poisson arrivals). */
  rate: number;
  /** Seed of the arrivals: the same seed gives the same gaps. */
  seed?: number;
}

/** Latencies in microseconds, from 1 µs to 5 minutes, three significant digits. */
export function latencies(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 300_000_000, numberOfSignificantValueDigits: 3 });
}

/** A small random number generator (mulberry32), so that benchmarks and simulations can be replayed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The last stretch before a send, in which the driver busy-waits. */
const BUSY_MS = 1.5;
/** The highest rate, per second, at which the driver busy-waits. Above it the driver would only spin, and take a core from what it measures. */
const SPIN_UP_TO = 200;

/**
 * Sends at Poisson arrivals, independently of the answers, and times each request from its intended send: a slow server
 * cannot slow the measurement down (no coordinated omission).
 */
export function openLoop(options: OpenLoop): Promise<Histogram> {
  const next = random(options.seed ?? 1);
  return sendApart(options, () => (-Math.log(1 - next()) / options.rate) * 1000, options.rate <= SPIN_UP_TO);
}

/** Sends a request every so many milliseconds, independently of the answers; 0: all of them at the same moment. */
export function sendEvery(intervalMs: number, shots: Shots): Promise<Histogram> {
  return sendApart(shots, () => intervalMs, true);
}

/** Sends each request so many milliseconds after the beginning, independently of the answers; `atMs` rises with the index. */
export function sendAt(atMs: (index: number) => number, shots: Shots): Promise<Histogram> {
  return sendApart(shots, (index) => atMs(index) - (index === 0 ? 0 : atMs(index - 1)), false);
}

/** Sends one request after the other: each when the one before has been answered. */
export async function sendInTurn(shots: Shots): Promise<Histogram> {
  const agent = newAgent();
  const histogram = latencies();
  for (let i = 0; i < shots.count; i++) await record(shots, i, agent, performance.now(), histogram);
  agent.destroy();
  return histogram;
}

async function sendApart(shots: Shots, gapMs: (index: number) => number, exact: boolean): Promise<Histogram> {
  const agent = newAgent();
  const histogram = latencies();
  const pending: Promise<void>[] = [];
  let intended = performance.now() + 5;
  for (let i = 0; i < shots.count; i++) {
    intended += gapMs(i);
    await until(intended, exact);
    pending.push(record(shots, i, agent, intended, histogram));
  }
  await Promise.all(pending);
  agent.destroy();
  return histogram;
}

async function record({ shot, onOutcome, timeoutMs = 60_000 }: Shots, index: number, agent: Agent, at: number, histogram: Histogram): Promise<void> {
  const outcome = await fire(shot(index), agent, at, timeoutMs);
  if (outcome.error === null) histogram.recordValue(Math.max(1, Math.round(outcome.firstByteMs * 1000)));
  onOutcome?.(outcome, index);
}

function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
}

/**
 * Waits until a point in time. Timers have a resolution of a millisecond, so if `exact` the last stretch is spent spinning
 * the event loop. Otherwise all requests leave up to a millisecond late, and their latency counts from the intended time.
 */
async function until(at: number, exact: boolean): Promise<void> {
  const wait = at - performance.now();
  if (wait <= 0) return;
  if (!exact || wait > BUSY_MS) await new Promise((resolve) => setTimeout(resolve, exact ? wait - BUSY_MS : wait));
  while (exact && performance.now() < at) await new Promise((resolve) => setImmediate(resolve));
}

export function fire(shot: Shot, agent: Agent, at: number, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, headers: {}, body: "", firstByteMs: performance.now() - at, error: error.message });
    const { method = shot.body === undefined ? "GET" : "POST", headers = {}, body } = shot;
    const length: Record<string, string> = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const req: ClientRequest = request(shot.url, { method, headers: { ...headers, ...length }, agent, timeout: timeoutMs }, (res) => {
      const firstByteMs = performance.now() - at;
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", failed);
      res.on("end", () => {
        const status = res.statusCode ?? 0;
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status, headers: res.headers, body: text, firstByteMs, error: status < 400 ? null : `HTTP ${status}` });
      });
    });
    req.on("socket", (socket) => socket.setNoDelay(true));
    req.on("timeout", () => req.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    req.on("error", failed);
    req.end(body);
  });
}
