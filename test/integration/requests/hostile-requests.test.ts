import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DemandBody } from "../../../pool-manager/api/schemas/demand.ts";
import { ROUTER_HEADER } from "../../../pool-manager/client/contract.ts";
import { ECHO, TestBerth } from "../../helpers/berth.ts";
import { Dice } from "../../helpers/dice.ts";
import { type HostileRequest, hostileRequest, type Operation, operationsOf, type Schema } from "../../helpers/requests/hostile.ts";
import { sendRaw } from "../../helpers/requests/raw-http.ts";

const SEED = Number(process.env.BERTH_FUZZ_SEED ?? 20261129);
const EACH = Number(process.env.BERTH_FUZZ_EACH ?? 30);

let berth: TestBerth;
let operations: Operation[];
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1, poolMax: 2 });
  const { paths } = (await (await fetch(`${berth.berth.manageUrl}/docs/json`)).json()) as { paths: Record<string, Record<string, unknown>> };
  operations = [...operationsOf(paths), ...link];
});
afterAll(() => berth.close());

/** The routers' link, which the document does not name. */
const router: Schema = { type: "string" };
const link: Operation[] = [
  { method: "POST", path: "/v1/demand", parameters: [], body: DemandBody as unknown as Schema },
  {
    method: "GET",
    path: "/v1/table",
    parameters: [
      { name: ROUTER_HEADER, in: "header", schema: { enum: ["fuzz"] } },
      { name: "router", in: "query", schema: router },
      { name: "host", in: "query", schema: { enum: ["127.0.0.1", "a b", "::1", "x/y"] } },
      { name: "port", in: "query", schema: { type: "integer", minimum: 1, maximum: 65_535 } },
      { name: "leaving", in: "query", schema: { type: "boolean" } },
    ],
    body: null,
  },
];

interface Answer {
  status: number;
  type: string;
  /** The answer; of streams, which have no end, only the beginning. */
  text: string;
}

function send({ method, target, headers: own, body }: HostileRequest): Promise<Answer | Error> {
  const headers = body === null ? own : { ...own, "content-length": Buffer.byteLength(body) };
  const { hostname, port } = new URL(berth.berth.manageUrl);
  return new Promise((resolve) => {
    const req = request({ hostname, port, method, path: target, headers, agent: false, timeout: 5000 }, (res) => {
      const type = String(res.headers["content-type"] ?? "");
      const chunks: Buffer[] = [];
      const end = () => resolve({ status: res.statusCode ?? 0, type, text: Buffer.concat(chunks).toString("utf8") });
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", end).on("error", end);
      if (/event-stream|x-ndjson/.test(type)) {
        end();
        req.destroy();
      }
    });
    req.on("timeout", () => req.destroy(new Error("no answer")));
    req.on("error", resolve);
    req.end(body);
  });
}

/** The fault of an answer; null: it has none. */
function wrong(answer: Answer | Error, { method }: HostileRequest): string | null {
  if (answer instanceof Error) return answer.message;
  const { status, text } = answer;
  if (status >= 200 && status < 400) return null;
  if (status < 400 || status >= 500) return `status ${status}: ${text.slice(0, 300)}`;
  if (method === "HEAD") return null;
  if (text.length > 8000) return `an error of ${text.length} characters`;
  try {
    const { code, message, fix } = (JSON.parse(text) as { error: Record<string, unknown> }).error;
    return [code, message, fix].every((field) => typeof field === "string" && field !== "") ? null : `not the API's shape: ${text}`;
  } catch {
    return `not the API's shape: ${status} ${text.slice(0, 300)}`;
  }
}

async function serves(): Promise<void> {
  expect(await berth.api.get("/healthz")).toEqual({ ok: true });
  await berth.deploy("alive", ECHO);
  expect((await berth.invoke("alive")).status).toBe(200);
}

test("whatever is asked of the manage API is answered as the API answers, and it serves on", { timeout: 30_000 }, async () => {
  const dice = new Dice(SEED);
  await berth.deploy("fuzzed", ECHO);
  await berth.deploy("other", ECHO);
  const found = new Set<string>();
  for (let round = 0; round < EACH; round++) {
    for (const operation of operations) {
      const made = bounded(hostileRequest(operation, dice));
      const fault = wrong(await send(made), made);
      if (fault) found.add(`${made.method} ${made.target.slice(0, 120)} ${JSON.stringify(made.headers)} ${String(made.body).slice(0, 200)}: ${fault}`);
    }
  }
  expect([...found]).toEqual([]);
  await serves();
});

/** Pools and functions stay small: what is valid is done. */
function bounded(made: HostileRequest): HostileRequest {
  if (typeof made.body !== "string" || made.body.length > 5000) return made;
  return { ...made, body: made.body.replaceAll(/"(size|max|minScale)":\d+/g, (_, name: string) => `"${name}":1`) };
}

test.each([
  ["no HTTP", "\u0016\u0003\u0001\u0002\u0000\r\n\r\n"],
  ["a broken request line", "GET\r\n\r\n"],
  ["a target that is no path", "GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["no Host", "GET /v1/status HTTP/1.1\r\n\r\n"],
  ["two Hosts", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"],
  ["two lengths", "POST /v1/code HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"],
  ["a head that is too large", `GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Large: ${"x".repeat(40_000)}\r\n\r\n`],
  ["an unknown method", "BREW /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["CONNECT", "CONNECT example.org:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["an expectation", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nExpect: nonsense\r\n\r\n"],
  ["a chunk of no length", "POST /v1/demand HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
  ["an encoding that there is not", "POST /v1/demand HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n"],
])("%s is answered in the API's shape", async (_what, bytes) => {
  const text = await sendRaw(berth.berth.manageUrl, [bytes], 300);
  expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
  const [, body = ""] = text.split("\r\n\r\n");
  expect(JSON.parse(body)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String), fix: expect.any(String) } });
  await serves();
});

test.each([
  ["DELETE", "/v1/functions", "GET, HEAD"],
  ["POST", "/v1/functions/f", "DELETE, GET, HEAD, PATCH, PUT"],
  ["PUT", "/v1/code", "GET, HEAD, POST"],
  ["PROPFIND", "/v1/pools/node", "GET, HEAD, PATCH, PUT"],
  ["OPTIONS", "/v1/status", "GET, HEAD"],
  ["QUERY", "/v1/status", "GET, HEAD"],
  ["QUERY", "/v1/functions/f/logs", "GET, HEAD"],
])("%s %s is told which methods there are", async (method, path, allow) => {
  const response = await fetch(berth.berth.manageUrl + path, { method });
  expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
  expect(await response.json()).toMatchObject({ error: { code: "METHOD_NOT_ALLOWED" } });
});

describe("what the document says", () => {
  const status = async (path: string) => {
    const response = await fetch(berth.berth.manageUrl + path);
    await response.body?.cancel();
    return response.status;
  };

  test("may be asked: names of any length that it allows, and values as they are written", async () => {
    const path = `/v1/functions/${"a".repeat(200)}`;
    expect(await (await fetch(berth.berth.manageUrl + path)).json()).toMatchObject({ error: { code: "FUNCTION_NOT_FOUND" } });
    await berth.deploy("alive", ECHO);
    const logs = (query: string) => status(`/v1/functions/alive/logs?${query}`);
    expect([await logs("tail=5"), await logs("tail=05"), await logs("follow=true"), await logs("follow=false")]).toEqual([200, 200, 200, 200]);
    for (const query of ["tail=true", "tail=1.5", "tail=0x5", "tail=", "tail=%205", "follow=1", "follow=", "follow=yes"]) {
      expect([query, await logs(query)]).toEqual([query, 400]);
    }
  });

  test("is what comes: streams are named, and so is the body of an upload", async () => {
    interface Described {
      responses: { 200: { content: object } };
      requestBody: { required: boolean; content: object };
    }
    const { paths } = await berth.api.get<{ paths: Record<string, Record<string, Described>> }>("/docs/json");
    const described = (method: string, path: string) => (paths[path] as Record<string, Described>)[method] as Described;
    const types = (path: string) => Object.keys(described("get", path).responses[200].content);
    expect([types("/v1/functions/{name}/logs"), types("/v1/events")]).toEqual([["application/json", "text/event-stream"], ["text/event-stream"]]);
    const { requestBody } = described("post", "/v1/code");
    expect([requestBody.required, Object.keys(requestBody.content)]).toEqual([true, ["application/x-tar", "application/octet-stream"]]);
  });
});

describe("a web page", () => {
  const REGISTRATION = "/v1/table?router=evil&host=127.0.0.1&port=9";
  const ask = (method: string, target: string, headers: Record<string, string>) => send({ method, target, headers, body: null });

  test("registers no router, whatever of a request it can choose", async () => {
    const given: Record<string, string>[] = [{}, { "sec-fetch-site": "cross-site" }, { origin: "http://evil.example" }];
    for (const [index, own] of given.entries()) {
      const headers = index === 0 ? own : { ...own, [ROUTER_HEADER]: "evil" };
      const answer = (await ask("GET", REGISTRATION, headers)) as Answer;
      expect([headers, answer.status, JSON.parse(answer.text).error.code]).toEqual([headers, 403, "FOREIGN_REQUEST"]);
    }
    // The same path to the API, which decodes it.
    for (const path of ["/v1/t%61ble", "/%76%31/table", "/v1/table#"]) {
      expect(await ask("GET", REGISTRATION.replace("/v1/table", path), {})).toMatchObject({ status: 403 });
    }
    expect(await ask("GET", REGISTRATION, { [ROUTER_HEADER]: "fuzz" })).toMatchObject({ status: 200 });
  });

  test.each(["cross-site", "same-site", "anything"])("whose request is marked %s is refused everywhere", async (site) => {
    for (const { method, path } of operations) {
      const answer = await ask(method, path, { "sec-fetch-site": site });
      expect([method, path, (answer as Answer).status]).toEqual([method, path, 403]);
    }
  });

  test("of the API itself, and a user's own navigation, are answered", async () => {
    for (const site of ["same-origin", "none"]) expect(await ask("GET", "/v1/status", { "sec-fetch-site": site })).toMatchObject({ status: 200 });
  });

  test.each(["localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example", "0.0.0.0", "[::2]"])(
    "of the host %s that leads here is refused",
    async (host) => {
      expect(await ask("GET", "/v1/status", { host })).toMatchObject({ status: 403 });
    },
  );
});
