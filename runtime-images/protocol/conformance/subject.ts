import assert from "node:assert/strict";
import { type RequestOptions, request } from "node:http";
import type { Echo, LoadAnswer, LoadOrder, LoadSettings } from "../messages.ts";

/** A running instance of some runtime, addressed as the pool manager and the routers address it. */
export interface RuntimeSubject {
  /** Path of the control socket. */
  control: string;
  host: string;
  /** Function layers, each a tar, written in the runtime's language. */
  code: Record<SampleName, Uint8Array>;
  entry: string;
  /** The signature of the sample `event`. */
  eventSignature: string;
  /** Settings that the language's samples need. */
  settings?: Partial<LoadSettings> | undefined;
}

/**
 * `hello` answers "hello"; `slow` answers "slow" after 300 ms; `throws` throws "boom at load" while it loads;
 * `hangs` never finishes loading; `exits` answers "ok" at the path `/ok`, and ends its process at any other; `env` answers the variable GREETING;
 * `spins` keeps its processor busy for ten seconds; `headers` answers all that it can see of its request's headers;
 * `event` takes events: its result is `{statusCode: 418, event}`, or it throws a TypeError with the message `event.fail`.
 */
export type SampleName = "hello" | "slow" | "throws" | "hangs" | "exits" | "env" | "spins" | "headers" | "event";

export interface Check {
  name: string;
  run(subject: RuntimeSubject): Promise<void>;
}

/** Of an invocation of the function and revision that `load` asks for. */
export const HEADERS: Record<string, string> = { "x-berth-function": "f1", "x-berth-revision": "r1" };

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export async function load(subject: RuntimeSubject, sample: SampleName, settings: object = {}, change: Partial<LoadOrder> = {}): Promise<LoadAnswer> {
  const { uid, bootId, epoch } = await readyEcho(subject);
  const order: LoadOrder = {
    uid,
    bootId,
    epoch,
    functionUid: "f1",
    functionName: "f",
    revision: "r1",
    digest: "sha256:0",
    source: { kind: "inline", archive: "sha256:0" },
    key: null,
    term: 1,
    loadTimeoutMs: 5000,
    settings: { entry: subject.entry, handler: null, signature: null, concurrency: 10, timeoutMs: 5000, ...subject.settings, ...settings },
    env: {},
    ...change,
  };
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(order)}\n`), subject.code[sample]]);
  return JSON.parse((await control(subject, "POST", "/v1/load", body)).body) as LoadAnswer;
}

export async function echo(subject: RuntimeSubject): Promise<Echo> {
  return JSON.parse((await control(subject, "GET", "/v1/echo")).body) as Echo;
}

export async function readyEcho(subject: RuntimeSubject): Promise<Echo> {
  await until(subject, (now) => now.state !== "starting", 5000);
  return echo(subject);
}

export const loaded = (subject: RuntimeSubject) => until(subject, (now) => now.state === "warm", 5000);

export async function until(subject: RuntimeSubject, check: (echo: Echo) => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!check(await echo(subject))) {
    assert.ok(performance.now() < deadline, `not within ${ms} ms; the echo is ${JSON.stringify(await echo(subject))}`);
    await sleep(10);
  }
}

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

interface Answer {
  status: number;
  body: string;
  refused: string | undefined;
  error: string | undefined;
}

export function invoke(
  { host }: RuntimeSubject,
  port: number | null,
  { method = "GET", path = "/", headers = HEADERS, body = "" }: Asked = {},
): Promise<Answer> {
  const length = method === "GET" ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return exchange({ host, port: port ?? 0, path, method, headers: { ...headers, ...length, connection: "close" } }, Buffer.from(body));
}

export function control({ control: socketPath }: RuntimeSubject, method: string, path: string, body?: Uint8Array): Promise<Answer> {
  return exchange({ socketPath, method, path, headers: { "content-length": String(body?.length ?? 0), connection: "close" } }, body);
}

function exchange(options: RequestOptions, body?: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(options, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      res.on("error", reject);
      res.on("end", () => {
        const { "x-berth-refused": refused, "x-berth-error": error } = res.headers as Record<string, string | undefined>;
        resolve({ status: res.statusCode ?? 0, body: text, refused, error });
      });
    });
    req.on("error", reject);
    req.end(body);
  });
}
