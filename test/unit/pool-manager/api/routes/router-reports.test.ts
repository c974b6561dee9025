import Fastify from "fastify";
import { afterAll, expect, test } from "vitest";
import { RouterLinks } from "../../../../../pool-manager/api/routes/router-links.ts";
import type { DemandReport } from "../../../../../pool-manager/client/contract.ts";

const heard: DemandReport[] = [];
const app = Fastify();
const links = new RouterLinks({ subscribe: () => () => {}, report: (report) => void heard.push(report), leave: () => {}, routerEnded: () => {} }, () => true);
links.routes(app as never);
afterAll(async () => {
  links.close();
  await app.close();
});

const counts = { waiting: 1, inFlight: 2, oldestWaitMs: 3.5, ended: 4, failed: 0 };
const demand = { key: "f", revision: "r1", ...counts, instances: [{ uid: "i", inFlight: 2, idleMs: 0.1 }] };
const report = { router: "r", seq: 1, functions: [demand], suspects: [{ uid: "i", bootId: "b", reason: "timeout" }] };

const send = (body: string) => app.inject({ method: "POST", url: "/v1/demand", headers: { "content-type": "application/json" }, body });

test("a report is heard, of a router of an earlier or a later version too", async () => {
  heard.length = 0;
  const later = { ...report, seq: 2, more: { than: "this" }, functions: [{ ...demand, countedMs: 5, more: 1 }] };
  expect([(await send(JSON.stringify(report))).statusCode, (await send(JSON.stringify(later))).statusCode]).toEqual([204, 204]);
  expect(heard).toEqual([report, later]);
});

test.each([
  "null",
  "[]",
  '"report"',
  "{}",
  "{",
  JSON.stringify({ ...report, router: null }),
  JSON.stringify({ ...report, router: "r".repeat(100) }),
  JSON.stringify({ ...report, functions: null }),
  JSON.stringify({ ...report, functions: [null] }),
  JSON.stringify({ ...report, functions: [{ ...demand, instances: null }] }),
  JSON.stringify({ ...report, functions: [{ ...demand, waiting: -1 }] }),
  JSON.stringify({ ...report, functions: [{ ...demand, waiting: "many" }] }),
  JSON.stringify({ ...report, suspects: [{}] }),
  JSON.stringify(report).replace("3.5", "1e999"),
])("what is no report is refused, and nothing of it is heard: %s", async (body) => {
  heard.length = 0;
  expect((await send(body)).statusCode).toBe(400);
  expect(heard).toEqual([]);
});
