import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { ManageClient } from "../../../cli/manage-client.ts";

test("the client of the manage API sends its key to no other origin, and refuses keys and addresses that it cannot use", async () => {
  const keys: unknown[] = [];
  const other = createServer((req, res) => {
    keys.push(req.headers["x-berth-api-key"]);
    res.end("{}");
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  const there = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const server = createServer((_req, res) => res.writeHead(307, { location: there }).end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const api = new ManageClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "secret-key");
  await expect(api.get("/v1/status")).rejects.toMatchObject({ code: "REDIRECTED", message: expect.stringContaining(there) });
  expect(keys).toEqual([]);
  expect(() => new ManageClient(there, "ключ")).toThrow(expect.objectContaining({ code: "KEY_INVALID", exit: 2 }));
  expect(() => new ManageClient("http://127.0.0.1:99999")).toThrow(expect.objectContaining({ code: "URL_INVALID", exit: 2 }));
  for (const one of [server, other]) one.close();
});
