import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { ManagerClient } from "../../../../pool-manager/client/client.ts";
import type { TableChange } from "../../../../pool-manager/client/contract.ts";
import { ServiceLookup } from "../../../../pool-manager/client/service-lookup.ts";

const VARIABLES = { BERTH_MANAGER_SERVICE_HOST: "127.0.0.2", BERTH_REDIS_SERVICE_HOST: "fd00::7", OTHER_SERVICE_HOST: "not an address" };
const unknown = () => Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }));
const at = (address: string) => Promise.resolve([{ address, family: 4 }]);

describe("a Service is looked up", () => {
  test("by its name first, and anew each time", async () => {
    const answers = [at("127.0.0.3"), at("127.0.0.4")];
    const services = new ServiceLookup(VARIABLES, () => answers.shift() ?? unknown());
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(...(await services.addresses("berth-manager")));
    expect(seen.map(({ address }) => address)).toEqual(["127.0.0.3", "127.0.0.4", "127.0.0.2"]);
  });

  test("by its variable if the name does not resolve, at once", async () => {
    const services = new ServiceLookup(VARIABLES, unknown);
    const from = performance.now();
    expect(await services.addresses("berth-manager")).toEqual([{ address: "127.0.0.2", family: 4 }]);
    expect(await services.addresses("berth-redis")).toEqual([{ address: "fd00::7", family: 6 }]);
    expect(performance.now() - from).toBeLessThan(100);
    for (const name of ["other", "none", "berth-manager.elsewhere"]) await expect(services.addresses(name)).rejects.toThrow("ENOTFOUND");
  });

  test("by its variable if the name server hangs; one query at a time is under way, and its late answer counts for the next connection", async () => {
    let asked = 0;
    let answer: (addresses: { address: string; family: number }[]) => void = () => {};
    let now = 0;
    const hanging = () => {
      asked += 1;
      return new Promise<{ address: string; family: number }[]>((resolve) => {
        answer = resolve;
      });
    };
    const services = new ServiceLookup(VARIABLES, hanging, () => now);
    const first = await Promise.all([services.addresses("berth-manager"), services.addresses("berth-manager")]);
    expect([asked, ...first.flat().map(({ address }) => address)]).toEqual([1, "127.0.0.2", "127.0.0.2"]);
    answer([{ address: "127.0.0.5", family: 4 }]);
    await new Promise(setImmediate);
    expect(await services.addresses("berth-manager")).toEqual([{ address: "127.0.0.5", family: 4 }]);
    answer([{ address: "127.0.0.6", family: 4 }]);
    await new Promise(setImmediate);
    now = 60_000;
    expect(await services.addresses("berth-manager")).toEqual([{ address: "127.0.0.2", family: 4 }]);
  });

  test.each([
    [true, [{ address: "127.0.0.2", family: 4 }]],
    [false, "127.0.0.2"],
  ])("as sockets ask (all: %s)", async (all, expected) => {
    const services = new ServiceLookup(VARIABLES, unknown);
    expect(await new Promise((resolve) => services.lookup("berth-manager", { all }, (_error, address) => resolve(address)))).toEqual(expected);
    expect(await new Promise((resolve) => services.lookup("none", { all }, (error) => resolve(error?.code)))).toBe("ENOTFOUND");
  });
});

describe("a router's link to its pool manager", () => {
  const servers: Server[] = [];
  let client: ManagerClient | null = null;
  afterEach(() => {
    client?.close();
    for (const server of servers.splice(0)) server.closeAllConnections();
  });

  /** A pool manager with an empty table at an address of this machine. */
  async function manager(host: string, port = 0): Promise<{ server: Server; port: number; reports: () => number }> {
    let reports = 0;
    const server = createServer((req, res) => {
      if (req.url?.startsWith("/v1/table")) return void res.write(`${JSON.stringify({ type: "snapshot", functions: [] })}\n`);
      reports += 1;
      res.end();
    });
    servers.push(server);
    server.listen(port, host);
    await once(server, "listening");
    return { server, port: (server.address() as AddressInfo).port, reports: () => reports };
  }

  function follow(port: number, services: ServiceLookup): { heard: (type: string) => Promise<TableChange> } {
    const waiting = new Map<string, (change: TableChange) => void>();
    client = new ManagerClient(`http://berth-manager:${port}`, { id: "r", host: "127.0.0.1", port: 1 }, null, services);
    client.subscribe((change) => {
      waiting.get(change.type)?.(change);
      waiting.delete(change.type);
    });
    return { heard: (type) => new Promise((resolve) => waiting.set(type, resolve)) };
  }

  test("goes to the address of the name, and to another address once the name has that one", async () => {
    let address = "127.0.0.2";
    const services = new ServiceLookup({}, () => at(address));
    const before = await manager(address);
    const { heard } = follow(before.port, services);
    await heard("snapshot");
    address = "127.0.0.3";
    const after = await manager(address, before.port);
    before.server.close();
    before.server.closeAllConnections();
    expect(await heard("lost")).toMatchObject({ reason: "the pool manager has ended the connection" });
    await heard("snapshot");
    client?.report({ router: "r", seq: 1, functions: [], suspects: [] });
    await expect.poll(after.reports).toBeGreaterThan(0);
  });

  test("goes to the variable's address while the name does not resolve, and to the name's as soon as it does", async () => {
    let resolves = unknown;
    const services = new ServiceLookup(VARIABLES, () => resolves());
    const before = await manager("127.0.0.2");
    const { heard } = follow(before.port, services);
    await heard("snapshot");
    resolves = () => at("127.0.0.3") as never;
    await manager("127.0.0.3", before.port);
    before.server.close();
    before.server.closeAllConnections();
    await heard("snapshot");
  });

  test("reports why it hears nothing", async () => {
    const services = new ServiceLookup({}, unknown);
    const { heard } = follow(1, services);
    expect(await heard("lost")).toMatchObject({ reason: expect.stringContaining("ENOTFOUND") });
    client?.close();
    const refusing = createServer((_req, res) => res.writeHead(401).end()).listen(0, "127.0.0.1");
    servers.push(refusing);
    await once(refusing, "listening");
    const second = follow((refusing.address() as AddressInfo).port, new ServiceLookup({}, () => at("127.0.0.1")));
    expect(await second.heard("lost")).toMatchObject({ reason: "the pool manager answers with status 401" });
  });
});
