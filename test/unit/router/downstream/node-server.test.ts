import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { NodeServer } from "../../../../router/downstream/node-server.ts";
import { sendRaw, statuses } from "../../../helpers/requests/raw-http.ts";

test("a router that leaves ends each connection with its next response, and runs nothing that follows on it", async () => {
  const served: string[] = [];
  const server = new NodeServer({
    keepAliveMs: 65_000,
    isLeaving: () => true,
    serve: (exchange) => {
      served.push(exchange.url);
      exchange.takeBody(1000, () => {
        exchange.answer(200, [], "done");
        return { end: () => {} };
      });
    },
    handBack: () => {},
  });
  server.http.listen(0, "127.0.0.1");
  await once(server.http, "listening");
  const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`;
  const text = await sendRaw(`http://127.0.0.1:${(server.http.address() as AddressInfo).port}`, [post("/1") + post("/2")]);
  server.http.close();
  expect([statuses(text), served]).toEqual([[200], ["/1"]]);
});
