import assert from "node:assert/strict";
import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { createInterface } from "node:readline";
import { BEAT_HEADER, type Echo, type LoadAnswer, type LoadOrder } from "./messages.ts";

/** A running instance of some runtime, addressed as the pool manager and the routers address it. */
export interface RuntimeSubject {
  /** Path of the control socket. */
  control: string;
  host: string;
  /** Function layers, each a tar, written in the runtime's language. */
  code: Record<SampleName, Uint8Array>;
  entry: string;
}

/**
 * `hello` answers "hello"; `slow` answers "slow" after 300 ms; `throws` throws "boom at load" while it loads;
 * `hangs` never finishes loading; `exits` ends its process when it is invoked; `env` answers the variable GREETING;
 * `spins` keeps its processor busy for ten seconds; `headers` answers all that it can see of its request's headers.
 */
export type SampleName = "hello" | "slow" | "throws" | "hangs" | "exits" | "env" | "spins" | "headers";

export interface Check {
  name: string;
  run(subject: RuntimeSubject): Promise<void>;
}

const HEADERS: Record<string, string> = { "x-berth-function": "f1", "x-berth-revision": "r1" };

/** Routers know that an instance drains within this time, and send it nothing more. */
const KNOWN_MS = 250;

/** What every runtime must do; a runtime's own test starts an instance for each check. */
export const conformance: Check[] = [
  {
    name: "is prewarmed with epoch 0 and no function",
    run: async (subject) => {
      const echo = await readyEcho(subject);
      assert.deepEqual([echo.state, echo.epoch, echo.functionUid, echo.revision, echo.loaded], ["prewarmed", 0, null, null, false]);
      assert.ok(echo.bootId.length > 8);
    },
  },
  {
    name: "parks an invocation that arrives with the order, and runs it once the code has loaded",
    run: async (subject) => {
      const answer = await load(subject, "hello");
      assert.ok(answer.accepted && answer.echo.epoch === 1 && answer.echo.port);
      const response = await invoke(subject, answer.echo.port);
      assert.deepEqual([response.status, response.body], [200, "hello"]);
      assert.deepEqual(pick(await echo(subject)), { state: "warm", loaded: true, revision: "r1" });
    },
  },
  {
    // I2
    name: "refuses another function and another revision before user code runs",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      for (const headers of [{ ...HEADERS, "x-berth-function": "f2" }, { ...HEADERS, "x-berth-revision": "r0" }, {}]) {
        const response = await invoke(subject, port, { headers });
        assert.deepEqual([response.status, response.refused, response.body], [503, "stale", ""]);
      }
    },
  },
  {
    name: "refuses beyond its concurrency, and admits again when a slot is free",
    run: async (subject) => {
      const { port } = (await load(subject, "slow", { concurrency: 1 })).echo;
      await loaded(subject);
      const first = invoke(subject, port);
      await sleep(100);
      assert.equal((await invoke(subject, port)).refused, "full");
      assert.equal((await first).body, "slow");
      assert.equal((await invoke(subject, port)).body, "slow");
    },
  },
  {
    name: "code that throws fails the instance with its own words, which parked invocations get",
    run: async (subject) => {
      const { port } = (await load(subject, "throws")).echo;
      const response = await invoke(subject, port);
      assert.deepEqual([response.status, response.error], [502, "FUNCTION_LOAD_FAILED"]);
      assert.match(response.body, /boom at load/);
      const failed = await echo(subject);
      assert.deepEqual([failed.state, failed.error?.reason], ["failed", "load"]);
      assert.match(failed.error?.message ?? "", /boom at load/);
    },
  },
  {
    name: "code that does not finish loading ends at the load deadline",
    run: async (subject) => {
      await load(subject, "hangs", {}, { loadTimeoutMs: 300 });
      await until(subject, (now) => now.state === "failed", 1500);
      assert.equal((await echo(subject)).error?.reason, "timeout");
    },
  },
  {
    name: "a worker that ends by itself fails the instance",
    run: async (subject) => {
      const { port } = (await load(subject, "exits")).echo;
      await loaded(subject);
      await assert.rejects(invoke(subject, port));
      await until(subject, (now) => now.state === "failed", 2000);
      assert.equal((await echo(subject)).error?.reason, "crash");
    },
  },
  {
    name: "refuses orders for another uid, boot, epoch, term or function",
    run: async (subject) => {
      const before = await readyEcho(subject);
      assert.equal(refusal(await load(subject, "hello", {}, { uid: "other" })), "uid");
      assert.equal(refusal(await load(subject, "hello", {}, { bootId: "other" })), "boot");
      assert.equal(refusal(await load(subject, "hello", {}, { epoch: 3 })), "epoch");
      assert.equal((await echo(subject)).epoch, before.epoch);
      await load(subject, "hello", {}, { term: 2 });
      await loaded(subject);
      assert.equal(refusal(await load(subject, "hello", {}, { term: 1 })), "term");
      assert.equal(refusal(await load(subject, "hello", {}, { term: 2, functionUid: "f2" })), "function");
    },
  },
  {
    // I3
    name: "a new revision takes over in place, while the old worker finishes what runs on it",
    run: async (subject) => {
      const { port: old } = (await load(subject, "slow")).echo;
      await loaded(subject);
      const running = invoke(subject, old);
      await sleep(50);
      const answer = await load(subject, "hello", {}, { revision: "r2" });
      assert.ok(answer.accepted && answer.echo.epoch === 2);
      await loaded(subject);
      const { port } = await echo(subject);
      assert.notEqual(port, old);
      assert.equal((await running).body, "slow");
      assert.equal((await invoke(subject, port, { headers: { ...HEADERS, "x-berth-revision": "r2" } })).body, "hello");
      assert.equal((await invoke(subject, port)).refused, "stale");
    },
  },
  {
    name: "a new revision that does not load leaves the old one serving",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      await load(subject, "throws", {}, { revision: "r2" });
      await until(subject, (now) => now.state === "warm", 2000);
      const after = await echo(subject);
      assert.deepEqual([after.revision, after.epoch, after.error?.revision, after.port], ["r1", 2, "r2", port]);
      assert.equal((await invoke(subject, port)).body, "hello");
    },
  },
  {
    name: "a draining instance refuses further invocations, finishes its own, and ends",
    run: async (subject) => {
      const { port } = (await load(subject, "slow")).echo;
      await loaded(subject);
      const running = invoke(subject, port);
      await sleep(50);
      await control(subject, "POST", "/v1/drain?deadlineMs=2000");
      assert.equal((await invoke(subject, port)).refused, "draining");
      assert.equal((await running).body, "slow");
      await assert.rejects(async () => {
        for (let i = 0; i < 100; i++) {
          await echo(subject);
          await sleep(20);
        }
      });
    },
  },
  {
    name: "an instance that drains breaks off no invocation that comes while routers do not know yet",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      const drained = control(subject, "POST", "/v1/drain?deadlineMs=2000");
      const invocations: Promise<string>[] = [];
      for (const end = performance.now() + KNOWN_MS; performance.now() < end; await sleep(1)) {
        invocations.push(
          invoke(subject, port).then(
            ({ body, refused }) => refused ?? body,
            (error: NodeJS.ErrnoException) => error.code ?? error.message,
          ),
        );
      }
      await drained;
      assert.deepEqual(
        [...new Set(await Promise.all(invocations))].filter((fate) => fate !== "hello"),
        ["draining"],
      );
    },
  },
  {
    name: "its event stream beats for whoever asks for it, while user code runs too, and for nobody else",
    run: async (subject) => {
      const plain = await events(subject, "/v1/events");
      const beating = await events(subject, "/v1/events?beats=1");
      const everyMs = Number(beating.headers[BEAT_HEADER]);
      assert.ok(everyMs >= 100 && everyMs <= 2000, `${BEAT_HEADER} is ${beating.headers[BEAT_HEADER]}`);
      assert.equal(plain.headers[BEAT_HEADER], undefined);
      const { port } = (await load(subject, "spins")).echo;
      void invoke(subject, port).catch(() => {});
      await beating.line((line) => line.beat === true);
      await beating.line((line) => line.beat === true);
      assert.ok(plain.lines.every((line) => "echo" in line));
      for (const stream of [plain, beating]) stream.end();
    },
  },
  {
    name: "runs what comes with the order's key alone, and keeps the key from the function, whose answer may show all headers",
    run: async (subject) => {
      const { port } = (await load(subject, "headers", {}, { key: "the-key" })).echo;
      const ask = (key: object) => invoke(subject, port, { headers: { ...HEADERS, ...key, "x-own": "1" } });
      for (const key of [{ "x-berth-key": "the-key" }, { "X-Berth-Key": "the-key" }]) {
        const { status, body } = await ask(key);
        assert.deepEqual([status, body.includes("x-own"), body.includes("the-key")], [200, true, false]);
      }
      assert.deepEqual([(await ask({})).refused, (await ask({ "x-berth-key": "another" })).refused], ["stale", "stale"]);
    },
  },
  {
    name: "environment arrives with the order",
    run: async (subject) => {
      const { port } = (await load(subject, "env", {}, { env: { GREETING: "hi there" } })).echo;
      assert.equal((await invoke(subject, port)).body, "hi there");
    },
  },
];

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function pick({ state, loaded: isLoaded, revision }: Echo) {
  return { state, loaded: isLoaded, revision };
}

function refusal(answer: LoadAnswer): string {
  return answer.accepted ? "accepted" : answer.refusal;
}

async function load(subject: RuntimeSubject, sample: SampleName, settings: object = {}, change: Partial<LoadOrder> = {}): Promise<LoadAnswer> {
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
    settings: { entry: subject.entry, handler: null, signature: null, concurrency: 10, timeoutMs: 5000, ...settings },
    env: {},
    ...change,
  };
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(order)}\n`), subject.code[sample]]);
  return JSON.parse((await control(subject, "POST", "/v1/load", body)).body) as LoadAnswer;
}

async function echo(subject: RuntimeSubject): Promise<Echo> {
  return JSON.parse((await control(subject, "GET", "/v1/echo")).body) as Echo;
}

async function readyEcho(subject: RuntimeSubject): Promise<Echo> {
  await until(subject, (now) => now.state !== "starting", 5000);
  return echo(subject);
}

const loaded = (subject: RuntimeSubject) => until(subject, (now) => now.state === "warm", 5000);

async function until(subject: RuntimeSubject, check: (echo: Echo) => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!check(await echo(subject))) {
    assert.ok(performance.now() < deadline, `not within ${ms} ms; the echo is ${JSON.stringify(await echo(subject))}`);
    await sleep(10);
  }
}

type Line = { echo?: Echo; beat?: true };

interface Events {
  headers: IncomingHttpHeaders;
  lines: Line[];
  /** Resolves with the next line that passes. */
  line(check: (line: Line) => boolean): Promise<void>;
  end(): void;
}

function events({ control: socketPath }: RuntimeSubject, path: string): Promise<Events> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, agent: false }, (res) => {
      const lines: Line[] = [];
      const listeners = new Set<(line: Line) => void>();
      const reader = createInterface({ input: res });
      for (const source of [reader, res]) source.on("error", () => {});
      reader.on("line", (text) => {
        const line = JSON.parse(text) as Line;
        lines.push(line);
        for (const listener of listeners) listener(line);
      });
      const line = (check: (line: Line) => boolean) =>
        new Promise<void>((found, failed) => {
          const timer = setTimeout(() => failed(new Error("no such line within 5 s")), 5000);
          const listener = (one: Line) => {
            if (!check(one)) return;
            clearTimeout(timer);
            listeners.delete(listener);
            found();
          };
          listeners.add(listener);
        });
      resolve({ headers: res.headers, lines, line, end: () => req.destroy() });
    });
    req.on("error", reject);
    req.end();
  });
}

interface Answer {
  status: number;
  body: string;
  refused: string | undefined;
  error: string | undefined;
}

function invoke({ host }: RuntimeSubject, port: number | null, { headers = HEADERS }: { headers?: Record<string, string> } = {}): Promise<Answer> {
  return exchange({ host, port: port ?? 0, path: "/", headers: { ...headers, connection: "close" } });
}

function control({ control: socketPath }: RuntimeSubject, method: string, path: string, body?: Uint8Array): Promise<Answer> {
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
