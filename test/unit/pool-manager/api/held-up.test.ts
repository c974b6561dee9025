import { Worker } from "node:worker_threads";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RouterLinks } from "../../../../pool-manager/api/routes/router-links.ts";
import { httpUrl } from "../../../../pool-manager/client/address.ts";
import { ManagerClient } from "../../../../pool-manager/client/client.ts";
import type { DemandReport, LoadFailure, TableChange, TableFunction } from "../../../../pool-manager/client/contract.ts";
import { type Router, startRouter } from "../../../../router/start.ts";
import { Http1Connection } from "../../../../router/upstream/http1-connection.ts";
import { sleep, until } from "../../../helpers/berth.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

/**
 * A thread that works while the main thread is held up: an instance that answers after 50 ms or breaks off, a pool manager
 * that beats, a router that follows, and delayed messages of the test.
 */
const OTHERS = `
const { parentPort, workerData } = require("node:worker_threads");
const count = (what) => { Atomics.add(workerData, what, 1); Atomics.notify(workerData, what); };
const [ACTS, BEATS] = [0, 1];
const { Agent, createServer, get, request } = require("node:http");
const later = (ms, run) => setTimeout(run, ms);
const server = createServer((req, res) => {
  if (req.url.startsWith("/v1/table")) {
    res.write(JSON.stringify({ type: "snapshot", functions: [] }) + "\\n");
    setInterval(() => res.write("\\n", () => count(BEATS)), 200);
  } else if (req.url.startsWith("/v1/")) res.end();
  else {
    parentPort.postMessage({ took: req.url });
    if (req.url === "/break") later(50, () => { res.destroy(); count(ACTS); });
    else later(50, () => res.end("answer", () => count(ACTS)));
  }
}).listen(0, "127.0.0.1", () => parentPort.postMessage({ port: server.address().port }));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
parentPort.on("message", ({ say, ms, follow }) => {
  if (say) later(ms, () => { parentPort.postMessage({ said: say }); count(ACTS); });
  if (!follow) return;
  get(follow + "/v1/table?router=r&host=h&port=1", (res) => {
    res.resume().on("close", () => parentPort.postMessage({ cut: true }));
    parentPort.postMessage({ follows: true });
  });
  setInterval(() => {
    const body = JSON.stringify({ router: "r", seq: 0, functions: [], suspects: [] });
    const headers = { "content-type": "application/json", "content-length": body.length };
    request(follow + "/v1/demand", { method: "POST", agent, headers }, (res) => res.resume()).on("error", () => {}).end(body);
  }, 200);
});`;

type Message = { took?: string; port?: number; said?: TableChange; cut?: true; follows?: true };

/** How much the others have done, and how often they have said that they live. */
const counts = new Int32Array(new SharedArrayBuffer(8));
const [ACTS, BEATS] = [0, 1] as const;
const acts = () => Atomics.load(counts, ACTS);

function awaitCount(what: number, least: number): void {
  for (let now = Atomics.load(counts, what); now < least; now = Atomics.load(counts, what)) {
    if (Atomics.wait(counts, what, now, 20_000) === "timed-out") throw new Error(`the others have stopped at ${now} of ${least}`);
  }
}

/** This process does nothing, as one that was stopped or that computes: for so long, and until the others have done what they do meanwhile, however slow the machine is. */
function block(ms: number, untilActs: number, beats = 0): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  awaitCount(ACTS, untilActs);
  awaitCount(BEATS, Atomics.load(counts, BEATS) + beats);
}

/** Blocks at a moment after which timers run before pending input is read. */
async function holdUp(ms: number, untilActs: number, beats = 0): Promise<void> {
  await new Promise(setImmediate);
  block(ms, untilActs, beats);
}

const others = new Worker(OTHERS, { eval: true, workerData: counts });
const messages: Message[] = [];
const reports: DemandReport[] = [];
let tell: (change: TableChange) => void = () => {};
let port: number;
let router: Router;

beforeAll(async () => {
  others.on("message", (message: Message) => {
    messages.push(message);
    if (message.said) tell(message.said);
  });
  await until(() => messages.length > 0, "the others are there");
  port = messages[0]?.port as number;
  router = await startRouter(routerConfig(), () => ({
    subscribe: (listener) => {
      tell = listener;
      return () => {};
    },
    report: (report) => void reports.push(report),
    leave: () => {},
  }));
});
afterAll(async () => {
  await router.close();
  await others.terminate();
});

function functionOf(name: string, bounds: Partial<TableFunction> = {}): TableFunction {
  return tableFunction({ key: name, uid: name, name, endpoints: [endpoint({ instanceUid: `i-${name}`, port })], ...bounds });
}

async function invoke(path: string): Promise<[number, string]> {
  const response = await fetch(`${router.url}/function/${path}`);
  return [response.status, await response.text()];
}

const taken = (path: string) => expect.poll(() => messages.filter(({ took }) => took === path).length, { interval: 1, timeout: 30_000 }).toBe(1);
const suspects = () => reports.flatMap((report) => report.suspects);

describe("a delayed router", () => {
  test("processes the response that came meanwhile, and suspects no instance", async () => {
    tell({ type: "snapshot", functions: [functionOf("f", { timeoutMs: 300 })] });
    const before = acts();
    const answer = invoke("f/first");
    await taken("/first");
    await holdUp(600, before + 1);
    expect(await answer).toEqual([200, "answer"]);
    expect(suspects()).toEqual([]);
  });

  test("gives the slot that became free meanwhile to the invocation that waited for it", async () => {
    tell({ type: "snapshot", functions: [functionOf("queued", { queueTimeoutMs: 300 })] });
    const before = acts();
    const answers = [invoke("queued/one"), invoke("queued/one")];
    await taken("/one");
    await sleep(20);
    await holdUp(600, before + 1);
    expect(await Promise.all(answers)).toEqual([
      [200, "answer"],
      [200, "answer"],
    ]);
  });

  test("reports the reason of a broken connection that came meanwhile", async () => {
    tell({ type: "snapshot", functions: [functionOf("broken")] });
    const before = acts();
    const answer = invoke("broken/break");
    await taken("/break");
    const failure: LoadFailure = { reason: "crash", message: "out of memory", instanceUid: "i-broken", retryAfterMs: 1 };
    others.postMessage({ say: { type: "failed", instanceUid: "i-broken", failure }, ms: 200 });
    await sleep(150);
    await holdUp(500, before + 2);
    expect((await answer)[1]).toContain("out of memory");
    expect(suspects()).toEqual([]);
  });

  test("uses the connection that was accepted meanwhile", async () => {
    const said = await new Promise((resolve) => {
      const wire = new Http1Connection(
        "127.0.0.1",
        port,
        () => {},
        () => {},
      );
      const request = { head: "GET /wire HTTP/1.1\r\nhost: x\r\n\r\n", body: null, isHead: false, upgrade: false };
      wire.send(request, {
        onConnect: () => {},
        onHeaders: (status) => {
          resolve(status);
          setImmediate(() => wire.destroy());
          return true;
        },
        onJoin: () => {},
        onData: () => true,
        onComplete: () => {},
        onError: (error) => resolve(error.message),
      });
      // The request leaves this process only afterwards.
      block(1300, acts());
    });
    expect(said).toBe(200);
  });

  test("knows the functions, the pool manager and the routers that were announced meanwhile", async () => {
    const told: string[] = [];
    const client = new ManagerClient(httpUrl("127.0.0.1", port), { id: "c", host: "127.0.0.1", port: 1 });
    client.subscribe(({ type }) => told.push(type));
    const app = Fastify({ forceCloseConnections: true });
    const links = new RouterLinks({ subscribe: () => () => {}, report: () => {}, leave: () => {}, routerEnded: () => {} }, () => true);
    links.routes(app as never);
    others.postMessage({ follow: await app.listen({ port: 0 }) });
    await expect.poll(() => messages.some(({ follows }) => follows) && told.length, { timeout: 30_000 }).toBe(1);
    await sleep(500);
    tell({ type: "lost", reason: "test" });
    const before = acts();
    const answer = invoke("later/held");
    await sleep(100);
    others.postMessage({ say: { type: "snapshot", functions: [functionOf("later")] }, ms: 300 });
    await holdUp(3500, before + 1, 5);
    expect(await answer).toEqual([200, "answer"]);
    await sleep(100);
    expect([told, messages.some(({ cut }) => cut)]).toEqual([["snapshot"], false]);
    links.close();
    client.close();
    await app.close();
  });
});
