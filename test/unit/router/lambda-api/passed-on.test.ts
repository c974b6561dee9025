import { createServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SlotOwnership } from "../../../../router/routing/ownership.ts";
import { functionAt, listen, type Routed, startRouted } from "../../../helpers/subjects/routed.ts";

/** An instance of a handler that takes events; it throws for the event "fail", and answers any other with what it was sent. */
const instance = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const body = String(Buffer.concat(chunks));
    if (body === '"fail"') {
      res.writeHead(500, { "x-berth-error": "FUNCTION_ERROR", "content-type": "application/json" });
      return res.end('{"errorType":"E","errorMessage":"m"}');
    }
    res.end(JSON.stringify({ body, event: req.headers["x-berth-event"], type: req.headers["content-type"], token: req.headers["x-amz-security-token"] }));
  });
});
const lost = createTcpServer((socket) => socket.once("data", () => socket.destroy()));

let routers: Routed[];
beforeAll(async () => {
  const known = [functionAt([await listen(instance as unknown as Server)])];
  routers = [await startRouted(known), await startRouted(known)];
  const peers = routers.map(({ self }) => ({ ...self, host: "127.0.0.1" }));
  for (const router of routers) router.tell({ type: "routers", routers: peers });
});
afterAll(async () => {
  for (const router of routers) await router.close();
  instance.close();
  lost.close();
});

async function call({ url }: Routed, payload: string, name = "f") {
  const headers = { "x-amz-security-token": "secret", "content-type": "application/octet-stream" };
  const response = await fetch(`${url}/2015-03-31/functions/${name}/invocations`, { method: "POST", headers, body: payload });
  const told = ["x-amz-function-error", "x-amz-executed-version", "x-amzn-errortype"].map((header) => response.headers.get(header));
  return [response.status, ...told, await response.json()];
}

test("a call that is passed on to the router of the function's slots is answered like one that is not", async () => {
  const seen = { body: "{}", event: "1", type: "application/json" };
  for (const router of routers) {
    expect(await call(router, "{}")).toEqual([200, null, "r1", null, seen]);
    expect(await call(router, '"fail"')).toEqual([200, "Unhandled", "r1", null, { errorType: "E", errorMessage: "m" }]);
  }
  const forwarded = await Promise.all(routers.map((router) => router.metrics()));
  expect(forwarded.filter((text) => /^berth_forwarded_total 2$/m.test(text))).toHaveLength(1);
});

test("the loss of that router is answered as an error of the function, which may have run", async () => {
  const [router] = routers as [Routed];
  const peer = { host: "127.0.0.1", port: await listen(lost) };
  const ids = Array.from({ length: 50 }, (_, i) => `peer-${i}`);
  const owns = (id: string) => {
    const ownership = new SlotOwnership(router.self.id);
    ownership.set([router.self, { ...peer, id }]);
    return ownership.ownerOf("f") !== null;
  };
  router.tell({ type: "routers", routers: [router.self, { ...peer, id: ids.find(owns) ?? "" }] });
  expect((await call(router, "{}")).slice(0, 2)).toEqual([200, "Unhandled"]);
  expect((await call(router, "{}")).at(-1)).toMatchObject({ errorType: "ROUTER_LOST" });
});
