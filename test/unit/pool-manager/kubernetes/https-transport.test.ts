import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Credentials } from "../../../../pool-manager/kubernetes/credentials.ts";
import type { KubeError } from "../../../../pool-manager/kubernetes/error.ts";
import { HttpsTransport } from "../../../../pool-manager/kubernetes/https-transport.ts";
import { createIdentity } from "../../../../runtime-images/supervisor/certificate.ts";

const LEASE = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/berth";
const LOG = "/api/v1/namespaces/ns/pods/a/log";

let server: Server;
let transport: HttpsTransport;
let answer: (req: IncomingMessage, res: ServerResponse) => void;
let asked: string[];
beforeEach(async () => {
  const { key, cert } = createIdentity();
  asked = [];
  server = createServer({ key: key.export({ type: "pkcs8", format: "pem" }), cert }, (req, res) => {
    asked.push(req.url ?? "");
    answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  transport = transportTo("127.0.0.1");
});

function transportTo(host: string): HttpsTransport {
  const trusting: Credentials = { options: async () => ({ rejectUnauthorized: false }), refused: () => false };
  return new HttpsTransport(trusting, new URL(`https://${host}:${(server.address() as AddressInfo).port}`));
}

afterEach(() => {
  transport.close();
  server.close();
  server.closeAllConnections();
});

const call = (path: string, method = "GET", timeoutMs = 5000) => transport.send({ method, path, timeoutMs });
const refusal = (sent: Promise<unknown>) =>
  sent.then(
    () => "answered",
    (error: KubeError) => `${error.reason}: ${error.message}`,
  );

test("the Lease is renewed though reads of nodes that hang hold every other connection", async () => {
  answer = (req, res) => void (req.url === LEASE && res.end("{}"));
  const reads = Array.from({ length: 100 }, () => refusal(call(LOG, "GET", 3000)));
  while (asked.length < 32) await new Promise((resolve) => setImmediate(resolve));
  expect((await call(LEASE, "PUT", 1000)).status).toBe(200);
  expect(asked.filter((path) => path === LOG)).toHaveLength(32);
  transport.close();
  await Promise.all(reads);
});

test("a call that gets no connection within its time ends then, and is never sent", async () => {
  answer = () => {};
  const reads = Array.from({ length: 32 }, () => refusal(call(LOG, "GET", 1500)));
  while (asked.length < 32) await new Promise((resolve) => setImmediate(resolve));
  const since = performance.now();
  expect(await refusal(call("/api/v1/pods", "POST", 100))).toMatch(/^Timeout: no answer to POST/);
  expect(performance.now() - since).toBeLessThan(1000);
  await Promise.all(reads);
  expect(asked).not.toContain("/api/v1/pods");
});

test("the error of a write without an answer names its object, and not only the API server; that of a read names the API server", async () => {
  answer = () => {};
  const path = "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/berth-instances";
  expect(await refusal(call(path, "PATCH", 50))).toBe(`Timeout: no answer to PATCH ${path} within 50 ms: an admission webhook may hang, or the API server`);
  expect(await refusal(call(LOG, "GET", 50))).toBe("Unreachable: the API server does not answer: no answer within 50 ms");
});

test("an answer that begins and never ends is an error", async () => {
  answer = (_req, res) => void res.writeHead(200, { "content-length": 100 }).write("{");
  expect(await refusal(call(LEASE, "GET", 100))).toBe("Unreachable: the API server does not answer: no answer within 100 ms");
});

test("an API server at an address of IPv6 is reached", async () => {
  answer = (_req, res) => void res.end("{}");
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  transport = transportTo("[::1]");
  expect((await call(LEASE)).status).toBe(200);
});
