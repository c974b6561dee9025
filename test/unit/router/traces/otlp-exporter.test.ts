import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RouterConfig } from "../../../../router/config.ts";
import { functionAt, listen, type Routed, startRouted } from "../../../helpers/subjects/routed.ts";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code?: number; message?: string };
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

/** The `traceparent` headers that the instance received. */
let seen: (string | undefined)[];
let spans: Span[];
let resource: { key: string }[];
/** The collector's answer. */
let status: number;
let instance: Server;
let collector: Server;
let router: Routed;

beforeEach(async () => {
  [seen, spans, resource, status] = [[], [], [], 200];
  instance = createServer((req, res) => {
    seen.push(req.headers.traceparent as string | undefined);
    res.writeHead(req.url === "/fails" ? 500 : 200);
    res.write("a");
    setTimeout(() => res.end("b"), 5);
  });
  collector = createServer(async (req, res) => {
    let body = "";
    for await (const part of req) body += part;
    const { resourceSpans } = JSON.parse(body);
    if (status === 200 && req.url === "/v1/traces") {
      resource = resourceSpans[0].resource.attributes;
      spans.push(...resourceSpans.flatMap((one: { scopeSpans: { spans: Span[] }[] }) => one.scopeSpans.flatMap((scope) => scope.spans)));
    }
    res.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
});
afterEach(async () => {
  await router.close();
  for (const server of [instance, collector]) {
    server.closeAllConnections();
    server.close();
  }
});

async function start(share: number, change: Partial<RouterConfig> = {}): Promise<void> {
  const endpoint = `http://127.0.0.1:${await listen(collector)}`;
  router = await startRouted([functionAt([await listen(instance)])], { traces: { endpoint, share, version: "1.2.3" }, ...change });
}

const invoke = async (headers: Record<string, string> = {}, path = "") => (await fetch(`${router.url}/function/f${path}`, { headers })).text();
const metric = async (reason: string) =>
  Number(new RegExp(`berth_trace_spans_dropped_total{reason="${reason}"} (\\d+)`).exec(await router.metrics())?.[1] ?? 0);
const attribute = (span: Span | undefined, name: string) => Object.values(span?.attributes.find(({ key }) => key === name)?.value ?? {})[0];

test("an invocation is a span below its caller's, its phases are below it, and so is what the function records", async () => {
  await start(0);
  const before = Date.now();
  expect(await invoke({ traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: "a=b", "x-call-id": "c-7" })).toBe("ab");
  await vi.waitFor(() => expect(spans.map(({ name }) => name).sort()).toEqual(expect.arrayContaining(["function f", "respond", "run"])), 5000);
  const server = spans.find(({ name }) => name === "function f");
  expect(server).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, kind: 2 });
  expect(seen).toEqual([`00-${TRACE}-${server?.spanId}-01`]);
  expect(attribute(server, "http.response.status_code")).toBe(200);
  const phases = spans.filter(({ parentSpanId }) => parentSpanId === server?.spanId);
  expect(phases).toHaveLength(spans.length - 1);
  const at = (nanos: string | undefined) => Number(BigInt(nanos ?? 0) / 1_000_000n);
  expect(at(server?.startTimeUnixNano)).toBeGreaterThanOrEqual(before - 5);
  expect(at(server?.endTimeUnixNano)).toBeLessThanOrEqual(Date.now() + 5);
  for (const phase of phases) expect(BigInt(phase.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(server?.endTimeUnixNano ?? 0));
  expect(resource.map(({ key }) => key)).toEqual(expect.arrayContaining(["service.name", "service.version", "service.instance.id"]));
});

test("an invocation that is not sampled is forwarded and not recorded; a trace begins if there is none", async () => {
  await start(0);
  await invoke();
  await invoke({ traceparent: `00-${TRACE}-${CALLER}-00` });
  await invoke({ traceparent: "nonsense" });
  expect(seen[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(seen[1]).toMatch(new RegExp(`^00-${TRACE}-(?!${CALLER})[0-9a-f]{16}-00$`));
  expect(seen[2]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  await invoke({ traceparent: `00-${TRACE}-${CALLER}-01` });
  await vi.waitFor(() => expect(spans.length).toBeGreaterThan(0), 5000);
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
});

test("errors of functions and of the platform are errors of their spans", async () => {
  await start(1);
  await invoke({}, "/fails");
  router.tell({ type: "upsert", function: functionAt([1]) });
  await invoke();
  await vi.waitFor(() => expect(spans.filter(({ name }) => name === "function f")).toHaveLength(2), 8000);
  const servers = spans.filter(({ name }) => name === "function f");
  expect(servers.map((span) => [attribute(span, "http.response.status_code"), span.status.code])).toEqual([
    [500, 2],
    [expect.any(Number), 2],
  ]);
  expect(attribute(servers[1], "error.type")).toBe(servers[1]?.status.message);
  expect(servers[1]?.status.message).toMatch(/^[A-Z_]+$/);
}, 15_000);

test("a collector that refuses or is down affects no invocation, and lost spans are counted", async () => {
  await start(1);
  status = 400;
  for (let i = 0; i < 5; i++) expect(await invoke()).toBe("ab");
  await vi.waitFor(async () => expect(await metric("export")).toBeGreaterThanOrEqual(10), 5000);
  status = 200;
  await invoke();
  await vi.waitFor(() => expect(spans.length).toBeGreaterThan(0), 5000);
  expect(await metric("queue")).toBe(0);
}, 15_000);

test("a stop sends the last spans, and waits two seconds at most", async () => {
  await start(1);
  await invoke();
  await router.close();
  expect(spans.length).toBeGreaterThan(0);
});

test("without a collector the caller's header is forwarded unchanged", async () => {
  await start(0, { traces: null });
  await invoke({ traceparent: "whatever it is" });
  await invoke();
  expect(seen).toEqual(["whatever it is", undefined]);
});
