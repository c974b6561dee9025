import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { hostPort, httpUrl, isHttpUrl } from "../../../../pool-manager/client/address.ts";
import { ManagerClient } from "../../../../pool-manager/client/client.ts";
import type { PoolManagerLink, TableChange } from "../../../../pool-manager/client/contract.ts";
import { parseChange, parseSaved } from "../../../../pool-manager/client/parse.ts";
import type { TableSnapshots } from "../../../../pool-manager/client/snapshot.ts";
import { SnapshotLink } from "../../../../pool-manager/client/snapshot-link.ts";
import { RouterMetrics } from "../../../../router/metrics.ts";
import { ServedRevisions } from "../../../../router/routing/served-revisions.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

const SELF = { id: "r", host: "127.0.0.1", port: 1 };
const whole = tableFunction({ endpoints: [endpoint()] });
/** A function as another version writes it. */
const { split: _split, aliases: _aliases, failure: _failure, blocked: _blocked, expectedStartMs: _expected, ...former } = whole;
const snapshot = (functions: unknown[] = [whole]) => JSON.stringify({ type: "snapshot", functions });

const servers: Server[] = [];
const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** A server at the manager's address: each stream gets the next of these texts, and later ones the last. */
async function somebody(...texts: string[]): Promise<{ url: string; streams: number[]; drop(): void }> {
  const streams: number[] = [];
  const server = createServer((req, res: ServerResponse) => {
    if (!req.url?.startsWith("/v1/table")) return void res.end();
    const text = texts[Math.min(streams.length, texts.length - 1)] as string;
    streams.push(performance.now());
    res.write(`${text}\n`);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { url: httpUrl("127.0.0.1", (server.address() as AddressInfo).port), streams, drop: () => server.closeAllConnections() };
}

/** A router's functions, and what its link has told. */
function follow(link: PoolManagerLink): { functions: ServedRevisions; told: TableChange[] } {
  const functions = new ServedRevisions("r", new RouterMetrics(), null, routerConfig());
  const told: TableChange[] = [];
  functions.follow({
    subscribe: (listener) =>
      link.subscribe((change) => {
        told.push(change);
        listener(change);
      }),
    report: (report) => link.report(report),
    leave: () => link.leave(),
  });
  ends.push(() => void functions.close());
  return { functions, told };
}

const client = (url: string) => {
  const made = new ManagerClient(url, SELF);
  ends.push(() => made.close());
  return made;
};

describe.concurrent("a message that a router does not understand leaves its table as it is, and is requested again", () => {
  test.for([
    ["a page of somebody else", "<!doctype html>\n<p>hello</p>\n<p>more</p>", "is not JSON"],
    ["JSON that is no change", "null\n7\n[]", "is not a change of a table"],
    ["a function without a name", snapshot([{ ...whole, name: undefined }]), "not understood at .functions[0].name"],
    ["a port that is none", snapshot([{ ...whole, endpoints: [{ ...endpoint(), port: "80" }] }]), "not understood at .functions[0].endpoints[0].port"],
    ["a router at no address", JSON.stringify({ type: "routers", routers: [{ id: "x", host: "http://x", port: 1 }] }), "not understood at .routers[0].host"],
  ])("%s", async ([_what = "", text = "", reason = ""], { expect }) => {
    const { url, streams, drop } = await somebody(snapshot(), text, text, snapshot([{ ...whole, name: "g", key: "g", uid: "g" }]));
    const { functions, told } = follow(client(url));
    await expect.poll(() => functions.has("f")).toBe(true);
    drop();
    await expect.poll(() => told.some((change) => change.type === "lost" && change.reason.includes(reason)), { timeout: 3000 }).toBe(true);
    expect([functions.has("f"), functions.table.fresh]).toEqual([true, false]);
    await expect.poll(() => functions.has("g"), { timeout: 5000 }).toBe(true);
    expect(functions.table.fresh).toBe(true);
    // The router does not ask again at once after a message that it does not understand: complete tables would follow each other without a pause.
    expect((streams[2] as number) - (streams[1] as number)).toBeGreaterThan(400);
  });

  test("a change of an unknown kind is ignored", async ({ expect }) => {
    const news = JSON.stringify({ type: "quota", quotas: [] });
    const { url, streams } = await somebody(`${snapshot()}\n${news}\n${JSON.stringify({ type: "remove", key: "f", name: "f" })}`);
    const { functions, told } = follow(client(url));
    await expect.poll(() => told.map(({ type }) => type)).toEqual(["snapshot", "remove"]);
    expect([functions.has("f"), functions.table.fresh, streams.length]).toEqual([false, true, 1]);
  });

  test("fields that another version omits get their defaults", async ({ expect }) => {
    const { url } = await somebody(snapshot([former]));
    const { functions } = follow(client(url));
    await expect.poll(() => functions.has("f")).toBe(true);
    expect(functions.next("f")?.fn).toMatchObject({ split: [], aliases: {}, failure: null, blocked: null, expectedStartMs: 0 });
    expect(functions.version("f", "none")).toBeUndefined();
  });

  test("unknown kinds of starts and failures are treated as known ones", ({ expect }) => {
    const failure = { reason: "quota", message: "m", instanceUid: "i", retryAfterMs: 1 };
    const change = parseChange(JSON.stringify({ type: "upsert", function: { ...whole, endpoints: [{ ...endpoint(), start: "thawed" }], failure } }));
    expect(change).toMatchObject({ function: { endpoints: [{ start: "warm" }], failure: { reason: "load" } } });
  });
});

describe.concurrent("Redis", () => {
  /** A link on which nothing is heard, and what it was told. */
  const silent = () => {
    const also: string[] = [];
    let listener: (change: TableChange) => void = () => {};
    const link = {
      subscribe: (own: typeof listener) => {
        listener = own;
        return () => {};
      },
      report: () => {},
      leave: () => {},
      alsoAt: (url: string) => also.push(url),
    };
    return { link, also, lost: () => listener({ type: "lost", reason: "connect ECONNREFUSED" }) };
  };
  const holding = (table: () => string | null, manager: string | null) =>
    ({ load: async () => table(), manager: async () => manager }) as unknown as TableSnapshots;

  test.for([
    ["a table without functions", JSON.stringify({ routers: [] }), ".functions"],
    ["null", "null", "its start"],
    ["no JSON", "gone", "is not JSON"],
    ["routers of another shape", JSON.stringify({ functions: [], routers: ["a"] }), ".routers[0]"],
  ])("holds %s: told as the reason, and asked again", async ([_what = "", text = "", reason = ""], { expect }) => {
    const tables = [text, JSON.stringify({ functions: [former] })];
    const { link, lost } = silent();
    const { functions, told } = follow(
      new SnapshotLink(
        link,
        holding(() => (tables.length > 1 ? (tables.shift() as string) : tables[0]) ?? null, null),
      ),
    );
    lost();
    await expect.poll(() => functions.table.lostReason, { interval: 10, timeout: 3000 }).toContain(reason);
    expect(functions.table.lostReason).toContain("ECONNREFUSED");
    await expect.poll(() => functions.has("f"), { timeout: 3000 }).toBe(true);
    lost();
    expect(told.at(-1)).toEqual({ type: "lost", reason: "connect ECONNREFUSED" });
  });

  test("names an address that is no URL: it is reported, and no request goes there", async ({ expect }) => {
    const { link, also } = silent();
    const { functions } = follow(
      new SnapshotLink(
        link,
        holding(() => null, "http://fd00::7:8081"),
      ),
    );
    await expect.poll(() => functions.table.lostReason).toContain('"http://fd00::7:8081"');
    expect(also).toEqual([]);
  });

  test("keeps a table that is read as it was written", ({ expect }) => {
    expect(parseSaved(JSON.stringify({ functions: [whole], routers: [SELF] }))).toEqual({ functions: [whole], routers: [SELF] });
  });
});

test("addresses of IPv6 are set in brackets", () => {
  expect([hostPort("fd00::7", 80), hostPort("10.0.0.1", 80), httpUrl("::1", 80)]).toEqual(["[fd00::7]:80", "10.0.0.1:80", "http://[::1]:80"]);
  expect(["http://[::1]:80", "http://x", "http://fd00::7:80", "https://x", "x:80", ""].filter(isHttpUrl)).toEqual(["http://[::1]:80", "http://x"]);
});

test("a pool manager at an address of IPv6 is followed", async () => {
  const server = createServer((_req, res) => res.write(`${snapshot()}\n`)).listen(0, "::1");
  servers.push(server);
  await once(server, "listening");
  const { functions } = follow(client(httpUrl("::1", (server.address() as AddressInfo).port)));
  await expect.poll(() => functions.has("f")).toBe(true);
});
