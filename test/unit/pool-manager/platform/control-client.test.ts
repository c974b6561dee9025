import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { ControlClient } from "../../../../pool-manager/platform/control-client.ts";
import { silenceDetector } from "../../../../pool-manager/platform/silence-detector.ts";
import type { ControlLine, LoadOrder } from "../../../../runtime-images/protocol/messages.ts";
import { createIdentity } from "../../../../runtime-images/supervisor/certificate.ts";
import { until } from "../../../helpers/berth.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const identity = createIdentity();
const order = { uid: "i1" } as LoadOrder;

const opened: { client: ControlClient; server: Server }[] = [];
afterAll(() => {
  for (const { client, server } of opened) {
    client.close();
    server.closeAllConnections();
    server.close();
  }
});

/** An instance that answers like this, and its client. */
async function answering(listener: RequestListener): Promise<{ client: ControlClient; server: Server }> {
  const server = createServer({ key: identity.key.export({ type: "pkcs8", format: "pem" }), cert: identity.cert }, listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new ControlClient({ host: "127.0.0.1", port, fingerprint: identity.fingerprint, uid: "i1", key: privateKey });
  opened.push({ client, server });
  return { client, server };
}

/** Its lines, and how its stream has ended. */
function followed(client: ControlClient): { lines: ControlLine[]; ends: (string | undefined)[] } {
  const lines: ControlLine[] = [];
  const ends: (string | undefined)[] = [];
  client.follow(
    (line) => lines.push(line),
    (error) => ends.push(error?.message),
  );
  return { lines, ends };
}

describe("an event stream", () => {
  test("of an instance that announces no heartbeats may be silent", async () => {
    const before = silenceDetector().size;
    const { client } = await answering((_req, res) => res.write('{"log":"a"}\n'));
    const { lines, ends } = followed(client);
    await until(() => lines.length === 1, "it is followed");
    expect([silenceDetector().size - before, ends]).toEqual([0, []]);
  });

  test("of an instance that announces heartbeats is watched, and its heartbeats reach no listener", async () => {
    const before = silenceDetector().size;
    const { client } = await answering((req, res) => {
      expect(req.url).toBe("/v1/events?beats=1");
      res.writeHead(200, { "x-berth-beat": 50 });
      res.write('{"beat":true}\n{"log":"a"}\n');
    });
    const { lines, ends } = followed(client);
    await until(() => lines.length === 1, "it is followed");
    expect([lines, silenceDetector().size - before]).toEqual([[{ log: "a" }], 1]);
    await until(() => ends.length > 0, "its silence is noticed");
    expect([ends, silenceDetector().size - before]).toEqual([["silent for 0.2 s"], 0]);
  });

  test.each(["nonsense", "null", "7"])("ends at a line that is %s", async (text) => {
    const { client } = await answering((_req, res) => res.write(`${text}\n{"log":"a"}\n`));
    const { ends } = followed(client);
    await until(() => ends.length > 0, "it has ended");
    expect(ends).toEqual([expect.stringMatching(/not a message of an instance/)]);
  });
});

describe.concurrent("an order", () => {
  // Its bytes would hold up the others.
  test.sequential("that progresses slowly may take longer than one that does not move", async () => {
    const size = 24 * 1024 * 1024;
    let taken = 0;
    const { client } = await answering((req, res) => {
      req.on("data", (chunk: Buffer) => {
        taken += chunk.length;
        // Two seconds and a half for all of it.
        if (Math.floor(taken / 2 ** 20) > Math.floor((taken - chunk.length) / 2 ** 20)) {
          req.pause();
          setTimeout(() => req.resume(), 105);
        }
      });
      req.on("end", () => res.end('{"accepted":true}'));
    });
    const since = performance.now();
    await expect(client.load(order, new Uint8Array(size))).resolves.toEqual({ accepted: true });
    expect(taken).toBeGreaterThan(size);
    expect(performance.now() - since).toBeGreaterThan(2300);
  });

  test("that is accepted and not answered ends after 2 s", async () => {
    const { client } = await answering((req) => req.resume());
    const since = performance.now();
    await expect(client.load(order, new Uint8Array(10))).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(performance.now() - since).toBeGreaterThan(1900);
    expect(performance.now() - since).toBeLessThan(2500);
  });

  test("behind another one that is not answered ends with it", async () => {
    const { client } = await answering((req) => req.resume());
    const since = performance.now();
    const orders = Array.from({ length: 3 }, () => client.load(order, new Uint8Array(10)));
    for (const { status } of await Promise.allSettled(orders)) expect(status).toBe("rejected");
    expect(performance.now() - since).toBeLessThan(2700);
  });

  test("behind another one ends with it, though the instance takes no further connection", async () => {
    let taken = 0;
    const { client, server } = await answering(() => {
      taken += 1;
    });
    const orders = [0, 1].map(() => client.load(order, new Uint8Array()));
    await until(() => taken === 2, "both connections are in use");
    // The kernel takes further ones, as those to a process that is stopped.
    server.removeAllListeners("connection");
    const since = performance.now();
    for (const { status } of await Promise.allSettled([...orders, client.load(order, new Uint8Array())])) expect(status).toBe("rejected");
    expect(performance.now() - since).toBeLessThan(2500);
  });

  test("to a busy instance that sends heartbeats waits longer", async () => {
    const { client } = await answering((req, res) => {
      if (req.method === "POST") return void setTimeout(() => res.end('{"accepted":true}'), 2800);
      res.writeHead(200, { "x-berth-beat": 200 });
      const beat = setInterval(() => res.write('{"beat":true}\n'), 200);
      res.on("close", () => clearInterval(beat));
      res.write('{"log":"a"}\n');
    });
    const { lines } = followed(client);
    await until(() => lines.length === 1, "it is followed");
    await expect(client.load(order, new Uint8Array(10))).resolves.toEqual({ accepted: true });
  });

  test.each(["", "<html>", "null"])("whose answer is %j has failed", async (text) => {
    const { client } = await answering((_req, res) => res.end(text));
    await expect(client.load(order, new Uint8Array())).rejects.toMatchObject({ code: "UNREACHABLE" });
  });
});
