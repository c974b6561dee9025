import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Call, callIdOf, currentCall } from "../../../../../runtime-images/node/invocation/call.ts";
import { bindEvents, bindSocket, followCalls, keepConnection } from "../../../../../runtime-images/node/invocation/call-events.ts";

followCalls();

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const callOf = (req: IncomingMessage, res: ServerResponse): Call => ({ id: callIdOf(req), res, background: null, crashed: () => {} });
const running = () => currentCall.getStore()?.id;

/** Starts the server and connects to it; both end with the test. */
async function connectedTo(server: Server): Promise<Socket> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("latin1");
  closing.push(
    () => client.destroy(),
    () => server.close(),
  );
  return client;
}

/** Events of each request's emitters, and the call that their listeners have run in. */
async function serve(handler: (req: IncomingMessage, res: ServerResponse, heard: (event: string) => void) => void) {
  const heard: string[] = [];
  const server = createServer((req, res) => {
    const call = callOf(req, res);
    bindEvents(req, call);
    bindEvents(res, call);
    currentCall.run(call, () => handler(req, res, (event) => heard.push(`${event} ${running()}`)));
  });
  server.on("upgrade", (req, socket: Socket) => {
    bindSocket(socket, callOf(req, {} as ServerResponse));
    socket.on("data", () => heard.push(`socket ${running()}`)).on("end", () => socket.end());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
  });
  const client = await connectedTo(server);
  return { client, heard };
}

test("listeners of a request and its response run in the context of its call, one call after the other on a connection", async () => {
  const { client, heard } = await serve((req, res, hear) => {
    // Another prototype, as Express gives them.
    for (const emitter of [req, res]) Object.setPrototypeOf(emitter, Object.create(Object.getPrototypeOf(emitter)));
    req
      .on("data", () => hear("data"))
      .on("end", () => {
        hear("end");
        res.end();
      });
    res.on("finish", () => hear("finish")).on("close", () => hear("close"));
  });
  for (const id of ["a", "b"]) {
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nx-call-id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (const end of ["3\r\nabc\r\n", "0\r\n\r\n"]) {
      await new Promise((done) => setTimeout(done, 10));
      client.write(end);
    }
    await once(client, "data");
  }
  await new Promise((done) => setTimeout(done, 10));
  expect(heard).toEqual(["a", "b"].flatMap((id) => ["data", "end", "finish", "close"].map((event) => `${event} ${id}`)));
});

test("listeners of a connection that belongs to the call do too", async () => {
  const { client, heard } = await serve(() => {});
  client.write("GET / HTTP/1.1\r\nHost: x\r\nx-call-id: ws\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  await once(client, "data");
  client.write("frame");
  await new Promise((done) => setTimeout(done, 20));
  expect(heard).toEqual(["socket ws"]);
});

test("events that belong to no call are unchanged", async () => {
  const server = createServer((_req, res) => res.end("x"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  const heard: unknown[] = [];
  server.on("request", (req) => req.on("end", () => heard.push(running())).resume());
  await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { method: "POST", body: "x" })).text();
  expect(heard).toEqual([undefined]);
});

test.each<[string, (socket: Socket) => void]>([
  ["end", (socket) => socket.end()],
  ["destroySoon", (socket) => socket.destroySoon()],
  ["destroy", (socket) => socket.destroy()],
  ["destroy with an error of its own", (socket) => socket.destroy(new Error("no longer needed"))],
  ["resetAndDestroy", (socket) => socket.resetAndDestroy()],
])("an invocation that has answered ends no other one's connection: %s", async (_name, hangUp) => {
  let nextArrives = () => {};
  const arrived = new Promise<void>((resolve) => {
    nextArrives = resolve;
  });
  const server = createServer((req, res) => {
    const call = callOf(req, res);
    bindEvents(res, call);
    currentCall.run(call, async () => {
      if (call.id === "next") {
        nextArrives();
        await new Promise((done) => setTimeout(done, 30));
        return void res.end("next");
      }
      const { socket } = req;
      res.end("first");
      await arrived;
      hangUp(socket);
    });
  });
  server.on("connection", keepConnection);
  const client = await connectedTo(server);
  let received = "";
  client.on("data", (text) => {
    received += text;
  });
  for (const id of ["first", "next"]) {
    client.write(`GET / HTTP/1.1\r\nHost: x\r\nx-call-id: ${id}\r\n\r\n`);
    await new Promise((done) => client.on("data", () => received.includes(id) && done(null)).on("close", done));
  }
  expect(received).toMatch(/first.*next$/s);
  expect(client.closed).toBe(false);
});
