import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import type { ResponseHandler } from "../../../../router/upstream/http1-connection.ts";
import { PeerLostError, PeerProbe } from "../../../../router/upstream/peer-probe.ts";
import { Upstreams } from "../../../../router/upstream/upstreams.ts";
import { sleep } from "../../../helpers/berth.ts";

/** Looks come faster than a router's own. */
const CHECK_INTERVAL_MS = 50;

/** Takes a few connections, answers /joined with an upgrade and /begun with a head, and else says nothing. */
const SERVER = `
const server = require("node:net").createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    const path = String(bytes).split(" ")[1];
    if (path === "/joined") socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: x\\r\\n\\r\\n");
    if (path === "/begun") socket.write("HTTP/1.1 200 OK\\r\\ncontent-length: 10\\r\\n\\r\\nfirst");
    if (path === "/kept") socket.write("HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n");
    if (path === "/last") server.close();
    console.log("took " + path);
  });
});
server.listen({ host: "127.0.0.1", port: 0, backlog: Number(process.argv[1]) }, () => console.log(server.address().port));`;

class Peer {
  readonly child: ChildProcess;
  readonly upstreams = new Upstreams(CHECK_INTERVAL_MS);
  readonly address = { host: "127.0.0.1", port: 0 };
  readonly #lines: Interface;
  readonly #fillers: Socket[] = [];

  private constructor(backlog: number) {
    this.child = spawn(process.execPath, ["-e", SERVER, String(backlog)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.child.stdout as Readable });
  }

  /** `backlog`: connections that the kernel accepts for it while it takes none, less one. */
  static async start(backlog = 1): Promise<Peer> {
    const peer = new Peer(backlog);
    peer.address.port = Number(await peer.said());
    return peer;
  }

  async said(): Promise<string> {
    return String((await once(this.#lines, "line"))[0]);
  }

  /** Sends a request, and resolves when it was taken. What becomes of it is in `events`. */
  async send(path: string, body: Readable | null = null): Promise<string[]> {
    const events: string[] = [];
    const handler: ResponseHandler = {
      onConnect: () => {},
      onHeaders: (status) => events.push(String(status)) > 0,
      onJoin: (_text, _headers, socket) => {
        events.push("joined");
        socket.on("close", () => events.push("closed"));
      },
      onData: (chunk) => events.push(String(chunk)) > 0,
      onComplete: () => events.push("complete"),
      onError: (error) => events.push(error instanceof PeerLostError ? "lost" : error.message),
    };
    const taken = this.said();
    const upstream = this.upstreams.to(this.address);
    const [method, framing, source] = body ? ["POST", "transfer-encoding: chunked\r\n", { length: null, open: () => body }] : ["GET", "", null];
    const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\n${framing}\r\n`;
    upstream.send({ head, body: source, isHead: false, upgrade: path === "/joined" }, handler);
    expect(await taken).toBe(`took ${path}`);
    return events;
  }

  /** Its process accepts no connection any more, and its kernel answers none: to others that is a cut network. */
  async cut(): Promise<void> {
    this.child.kill("SIGSTOP");
    // The kernel accepts two connections for a process that does not; it answers nothing to further ones.
    for (let i = 0; i < 2; i++) {
      const socket = connect(this.address);
      socket.on("error", () => {});
      this.#fillers.push(socket);
      // A connection that was opened to look for the peer may have taken the place: there is none left then either.
      await Promise.race([once(socket, "connect"), sleep(500)]);
    }
  }

  async end(): Promise<void> {
    for (const socket of this.#fillers) socket.destroy();
    this.child.kill("SIGKILL");
    this.upstreams.destroy();
  }
}

let peer: Peer;
afterEach(() => peer.end());

describe("a peer for which nothing answers", () => {
  test("ends waiting requests with an error of its own, as well as begun responses, joined sockets and kept connections", async () => {
    peer = await Peer.start();
    const kept = await peer.send("/kept");
    expect(kept).toEqual(["200", "complete"]);
    const waits = await peer.send("/waits");
    const begun = await peer.send("/begun");
    const joined = await peer.send("/joined");
    const streamed = await peer.send("/streamed", Readable.from([Buffer.from("body")]));
    await peer.cut();
    await expect.poll(() => [waits, begun, joined, streamed]).toEqual([["lost"], ["200", "first", "lost"], ["joined", "closed"], ["lost"]]);
    expect(peer.upstreams.to(peer.address).unused).toBe(true);
  });

  test("is not lost while it stops: it refuses new requests, and finishes those that it has", async () => {
    peer = await Peer.start();
    const last = await peer.send("/last");
    const streamed = peer.upstreams.to(peer.address);
    peer.upstreams.close(peer.address);
    await expect(once(connect(peer.address), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await new Promise((resolve) => setTimeout(resolve, 10 * CHECK_INTERVAL_MS));
    expect([last, streamed.unused]).toEqual([[], false]);
    peer.child.kill("SIGKILL");
    await expect.poll(() => last.length).toBe(1);
  });

  test("is checked also if its endpoint has left the table meanwhile", async () => {
    peer = await Peer.start();
    const waits = await peer.send("/waits");
    peer.upstreams.close(peer.address);
    await peer.cut();
    await expect.poll(() => waits).toEqual(["lost"]);
  });
});

test("a peer whose process does nothing, but whose kernel answers, is not lost", async () => {
  peer = await Peer.start(100);
  const waits = await peer.send("/waits");
  peer.child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 10 * CHECK_INTERVAL_MS));
  expect(waits).toEqual([]);
});

test("a process that is busy for long is checked more rarely, so that connections that it has not accepted do not fill its queue", async () => {
  peer = await Peer.start();
  let asked = 0;
  // The check closes its connection as soon as it is accepted.
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume().on("close", () => {
      asked += 1;
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const probe = new PeerProbe("127.0.0.1", (server.address() as AddressInfo).port);
  const asksOnce = async () => {
    const before = asked;
    expect(probe.check()).toBe(false);
    await expect.poll(() => asked, { interval: 1 }).toBe(before + 1);
  };
  for (let i = 0; i < 300; i++) await asksOnce();
  for (let round = 0; round < 3; round++) {
    const before = asked;
    for (let i = 0; i < 3; i++) expect(probe.check()).toBe(false);
    expect(asked).toBe(before);
    await asksOnce();
  }
  probe.rest();
  for (let i = 0; i < 3; i++) await asksOnce();
  probe.rest();
  server.close();
});
