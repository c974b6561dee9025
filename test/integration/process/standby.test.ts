import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ManageClient } from "../../../cli/manage-client.ts";
import { Standby } from "../../../pool-manager/api/standby.ts";
import { until } from "../../helpers/berth.ts";

let standby: Standby;
let url: string;
let servers: Server[];
let refusals: number;

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  [servers, refusals] = [[], 0];
  standby = new Standby(new Registry(), null, pino({ level: "silent" }));
  await standby.app.ready();
  url = await listen((req, res) => {
    res.on("finish", () => (refusals += 1));
    standby.app.routing(req, res);
  });
});

afterEach(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await standby.app.close();
});

const codeOf = async (method: string) => {
  const response = await fetch(`${url}/v1/functions/hello/rollback`, { method });
  return [response.status, (await response.json()).error.code];
};

test("nobody leads, or the leader is gone: nothing was done, and may be asked for again", async () => {
  expect(await codeOf("POST")).toEqual([503, "NO_LEADER"]);
  standby.follow(await listen(() => {}));
  servers.pop()?.close();
  expect(await codeOf("POST")).toEqual([503, "NO_LEADER"]);
});

test("a leader that ends before it answers may have done it: only what changes nothing may be asked for again", async () => {
  standby.follow(await listen((_req, res) => res.destroy()));
  expect(await codeOf("POST")).toEqual([502, "LEADER_LOST"]);
  expect(await codeOf("GET")).toEqual([503, "NO_LEADER"]);
});

test("commands wait for the next leader, and ask it once", async () => {
  const asked: string[] = [];
  const answered = new ManageClient(url).call("PUT", "/v1/functions/hello", { code: "sha256:0" });
  await until(() => refusals > 0, "it is refused while nobody leads");
  const leader = await listen((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    res.setHeader("content-type", "application/json").end('{"revision":"r1"}');
  });
  standby.follow(leader);
  expect(await answered).toEqual({ revision: "r1" });
  expect(asked).toEqual(["PUT /v1/functions/hello"]);
});
