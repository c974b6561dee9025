import { Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Suspect, TableChange, TableFunction } from "../../../../pool-manager/client/contract.ts";
import { RouterMetrics } from "../../../../router/metrics.ts";
import { handleRequest } from "../../../../router/proxy/handler.ts";
import { ServedRevisions } from "../../../../router/routing/served-revisions.ts";
import { ConnectionPool } from "../../../../router/upstream/connection-pool.ts";
import type { ResponseHandler } from "../../../../router/upstream/http1-connection.ts";
import { FakeExchange } from "../../../fakes/fake-exchange.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { functionAt } from "../../../helpers/subjects/routed.ts";

/** The connections' side of each request that was sent, in order. */
const sent: ResponseHandler[] = [];
const suspects: Suspect[] = [];
let functions: ServedRevisions;
let metrics: RouterMetrics;
let tell: (change: TableChange) => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "setInterval", "clearInterval", "performance"] });
  vi.spyOn(ConnectionPool.prototype, "send").mockImplementation((_request, handler) => void sent.push(handler));
});
afterEach(() => {
  functions.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
  sent.splice(0);
  suspects.splice(0);
});

/** A router that knows these functions, and reports to this test. */
function serve(...known: TableFunction[]): void {
  metrics = new RouterMetrics();
  functions = new ServedRevisions("r", metrics, null, routerConfig());
  functions.follow({
    subscribe: (listener) => {
      tell = listener;
      listener({ type: "snapshot", functions: known });
      return () => {};
    },
    report: (report) => void suspects.push(...report.suspects),
    leave: () => {},
  });
}

function invoke(): FakeExchange {
  const exchange = new FakeExchange("/function/f");
  handleRequest(exchange, functions, routerConfig(), { unready: null, manage: null });
  return exchange;
}

/** The connection of the request that was sent last begins to write it. */
function written(): { connection: ResponseHandler; aborted: () => boolean } {
  const connection = sent.at(-1);
  if (!connection) throw new Error("nothing was sent");
  let isAborted = false;
  connection.onConnect(() => {
    isAborted = true;
  });
  return { connection, aborted: () => isAborted };
}

const resume = () => {};

const inUse = () => {
  const { waiting, inFlight } = functions.next("f")?.limiter.demand() ?? {};
  return { waiting, inFlight };
};

/** The invocations by status, and the retries. */
async function counted(): Promise<string[]> {
  const lines = (await metrics.registry.metrics()).split("\n");
  return lines.flatMap((line) => {
    const [, code, count] = /^berth_invocations_total\{.*code="(\d+)".*\} (\d+)/.exec(line) ?? [];
    const retries = /^berth_retries_total (\d+)/.exec(line)?.[1];
    if (code !== undefined) return [`${code}: ${count}`];
    return retries === undefined || retries === "0" ? [] : [`retries: ${retries}`];
  });
}

// I7
test("an invocation whose client has gone while a refusal is read is not tried again, and returns its slot", async () => {
  serve(functionAt([1, 2]));
  const exchange = invoke();
  const { connection, aborted } = written();
  connection.onHeaders(503, ["x-berth-refused", "full"], resume, "");
  exchange.leave();
  expect([aborted(), inUse()]).toEqual([true, { waiting: 0, inFlight: 1 }]);
  // The instance had ended the connection, and with it the response, before it was aborted.
  connection.onComplete();
  vi.advanceTimersByTime(1000);
  expect([sent.length, inUse(), await counted()]).toEqual([1, { waiting: 0, inFlight: 0 }, ["499: 1"]]);
});

test("and is counted once if its response was complete at that moment", async () => {
  serve(functionAt([1]));
  const exchange = invoke();
  const { connection } = written();
  connection.onHeaders(200, [], resume, "");
  exchange.leave();
  connection.onComplete();
  expect([exchange.received, inUse(), await counted()]).toEqual([["200"], { waiting: 0, inFlight: 0 }, ["499: 1"]]);
});

// I7
test("and returns its slot if the instance has granted the upgrade at that moment", () => {
  serve(functionAt([1]));
  const exchange = invoke();
  const { connection } = written();
  exchange.leave();
  const socket = new Socket();
  connection.onJoin("", [], socket, Buffer.alloc(0));
  expect([socket.destroyed, inUse()]).toEqual([true, { waiting: 0, inFlight: 0 }]);
});

test("an invocation whose connection broke is told why, and its instance is suspect if nothing tells it within 250 ms", async () => {
  serve(functionAt([1]));
  const exchange = invoke();
  written().connection.onError(new Error("reset"));
  expect([exchange.received, inUse()]).toEqual([[], { waiting: 0, inFlight: 0 }]);
  vi.advanceTimersByTime(249);
  expect(suspects).toEqual([]);
  vi.advanceTimersByTime(2);
  expect([exchange.received, suspects.map(({ reason }) => reason)]).toEqual([["FUNCTION_CRASHED"], ["unreachable"]]);
  expect(await counted()).toEqual(["502: 1"]);
});

test("a failure that the table reports within that time is the answer, and the instance is not suspect", () => {
  serve(functionAt([1]));
  const exchange = invoke();
  written().connection.onError(new Error("reset"));
  tell({ type: "failed", instanceUid: "i0", failure: { reason: "load", message: "no", instanceUid: "i0", retryAfterMs: 0 } });
  const again = invoke();
  written().connection.onError(new Error("reset"));
  vi.advanceTimersByTime(1000);
  expect([exchange.received, again.received, suspects]).toEqual([["FUNCTION_LOAD_FAILED"], ["FUNCTION_LOAD_FAILED"], []]);
});

test.each([
  ["a client that leaves", (exchange: FakeExchange) => exchange.leave(), []],
  ["a router that stops", () => functions.close(), ["SHUTTING_DOWN"]],
])("%s ends the wait to learn why the connection broke", (_what, end, received) => {
  serve(functionAt([1]));
  const exchange = invoke();
  written().connection.onError(new Error("reset"));
  const before = vi.getTimerCount();
  end(exchange);
  expect(vi.getTimerCount()).toBeLessThan(before);
  vi.advanceTimersByTime(1000);
  expect([exchange.received, suspects]).toEqual([received, []]);
});
