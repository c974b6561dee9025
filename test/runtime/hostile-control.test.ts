import { generateKeyPairSync } from "node:crypto";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTROL_PORT, type Echo, type LoadOrder } from "../../runtime-images/protocol/messages.ts";
import { SIGNATURE_HEADER, signRequest } from "../../runtime-images/protocol/signature.ts";
import { until } from "../helpers/berth.ts";
import { Dice } from "../helpers/dice.ts";
import { endSupervisors, LEADER_KEY, type Supervised, startSupervisor } from "../helpers/subjects/supervised.ts";

let supervised: Supervised;
beforeAll(async () => {
  supervised = await startSupervisor("i1");
  await until(async () => (await echo()).state === "prewarmed", "it is prewarmed");
});
afterAll(endSupervisors);

const STRANGER = generateKeyPairSync("ed25519").privateKey;
const dice = new Dice(20261129);

interface Answer {
  status: number;
  body: unknown;
}

/** One request on a connection of its own. `signed`: by the leader, by another key, not at all, or with an invalid signature. */
function ask(method: string, path: string, signed: "leader" | "stranger" | "nobody" | "garbage", body: Buffer | null = null, order = ""): Promise<Answer> {
  const signature = {
    leader: () => signRequest({ uid: "i1", method, url: path, order }, LEADER_KEY),
    stranger: () => signRequest({ uid: "i1", method, url: path, order }, STRANGER),
    garbage: () => "%%%",
    nobody: () => null,
  }[signed]();
  const headers = signature === null ? {} : { [SIGNATURE_HEADER]: signature };
  return new Promise((resolve, reject) => {
    const req = request({ host: supervised.host, port: CONTROL_PORT, method, path, headers, rejectUnauthorized: false, agent: false, timeout: 3000 }, (res) => {
      let text = "";
      res.on("data", (chunk) => {
        text += chunk;
        if (res.headers["content-type"] === "application/x-ndjson") req.destroy();
      });
      res.on("close", () => resolve({ status: res.statusCode ?? 0, body: text && JSON.parse(text.split("\n")[0] as string) }));
    });
    req.on("timeout", () => req.destroy(new Error("no answer")));
    req.on("error", reject);
    req.end(body);
  });
}

async function echo(): Promise<Echo> {
  return (await ask("GET", "/v1/echo", "leader")).body as Echo;
}

const load = (order: unknown, signed: "leader" | "stranger" | "nobody" = "leader", code = Buffer.alloc(0)) => {
  const head = typeof order === "string" ? order : JSON.stringify(order);
  return ask("POST", "/v1/load", signed, Buffer.concat([Buffer.from(`${head}\n`), code]), head);
};

async function lives(): Promise<void> {
  expect(await echo()).toMatchObject({ uid: "i1", state: "prewarmed", epoch: 0 });
  expect(supervised.child.exitCode).toBeNull();
}

test("targets that are no paths, unsigned, leave it as it was", async () => {
  for (const path of ["//", "//:0", "http://[", "/%", "/v1/echo/%zz", "*", "/?".repeat(500), "/v1/drain?deadlineMs=NaN"]) {
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      for (const signed of ["nobody", "stranger", "garbage"] as const) expect([path, (await ask(method, path, signed)).status]).toEqual([path, 401]);
    }
  }
  await lives();
});

test("of what the leader signs only what is whole is done", async () => {
  expect((await ask("GET", "//", "leader")).status).toBe(404);
  for (const deadline of ["x", "-1", "1e99", "NaN"]) expect((await ask("POST", `/v1/drain?deadlineMs=${deadline}`, "leader")).status).toBe(400);
  for (const text of ["null", "[]", "7", '"x"', "{", ""]) expect([text, (await load(text)).status]).toEqual([text, 400]);
  await lives();
});

test("an order is taken only where each of its fields is one, and nothing of it is done otherwise", async () => {
  const { bootId } = await echo();
  const whole: LoadOrder = {
    ...{ uid: "i1", bootId, epoch: 0, functionUid: "f", functionName: "f", revision: "r1", digest: "sha256:0", term: 1 },
    source: { kind: "inline", archive: "sha256:0" },
    loadTimeoutMs: 1000,
    settings: { entry: "index.mjs", handler: null, signature: null, concurrency: 1, timeoutMs: 1000 },
    key: null,
    env: {},
  };
  const odd = [undefined, null, -1, 1.5, "", [], {}, true, 1e99];
  const fields = Object.keys(whole).filter((name) => !["uid", "bootId"].includes(name)) as (keyof LoadOrder)[];
  for (let i = 0; i < 150; i++) {
    const field = dice.pick(fields);
    const value = dice.pick(odd);
    if (JSON.stringify(value) === JSON.stringify(whole[field]) || (field === "env" && JSON.stringify(value) === "{}")) continue;
    const order = dice.chance(0.3) ? { ...whole, settings: { ...whole.settings, [dice.pick(Object.keys(whole.settings))]: [] } } : { ...whole, [field]: value };
    // A text that is empty is one, and a term or an epoch of another number is refused as that.
    const { status } = await load(order);
    expect([400, 409], JSON.stringify(order)).toContain(status);
  }
  await lives();
});

test("bytes of any kind, and connections that say nothing, do not keep the leader out", { timeout: 20_000 }, async () => {
  const idle = Array.from({ length: 100 }, () =>
    connect(CONTROL_PORT, supervised.host)
      .on("error", () => {})
      .resume(),
  );
  const secure = Array.from({ length: 60 }, (): TLSSocket => {
    const socket = connectTls({ host: supervised.host, port: CONTROL_PORT, rejectUnauthorized: false });
    socket.on("error", () => {}).resume();
    socket.on("secureConnect", () => {
      const bytes = Buffer.from(Array.from({ length: 1 + dice.below(2000) }, () => dice.below(256)));
      socket.write(dice.chance(0.5) ? bytes : Buffer.concat([Buffer.from("POST /v1/load HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n"), bytes]));
    });
    return socket;
  });
  const has = (socket: Socket) => new Promise((done) => socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", done).once("close", done));
  await Promise.all([...idle, ...secure].map(has));
  await lives();
  const open = () => [...idle, ...secure].filter((socket) => !socket.destroyed && socket.readyState === "open").length;
  await until(() => open() <= 40, "few connections of strangers are kept");
  for (const socket of [...idle, ...secure]) socket.destroy();
});

test("what strangers send before a newline is bounded altogether", { timeout: 20_000 }, async () => {
  const ended: string[] = [];
  const senders = Array.from({ length: 8 }, (_, id) => {
    const socket = connectTls({ host: supervised.host, port: CONTROL_PORT, rejectUnauthorized: false });
    socket.on("error", () => {}).on("close", () => ended.push(String(id)));
    socket.write("POST /v1/load HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n");
    socket.write(Buffer.alloc(3 * 1024 * 1024, 0x20));
    return socket;
  });
  await until(() => ended.length >= 6, "those beyond the bound were cut off");
  await lives();
  for (const socket of senders) socket.destroy();
});
