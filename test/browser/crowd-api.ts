import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { pino } from "pino";
import type { ApiContext } from "../../pool-manager/api/context.ts";
import { buildApi } from "../../pool-manager/api/server.ts";
import type { InstanceView } from "../../pool-manager/pool/decide/world.ts";
import { instance, POOL } from "../helpers/builders/world.ts";

const STATES: Partial<InstanceView>[] = [
  { state: "prewarmed" },
  { state: "specializing", functionUid: "f1", revision: "r1" },
  { state: "warm", functionUid: "f2", revision: "r1" },
  { state: "warm", functionUid: "f3", revision: "r2", inFlight: 2 },
];

/** The real manage API over a crowd of instances that the test makes up. */
export class CrowdApi {
  readonly url: string;
  readonly #server: Server;
  readonly #views: InstanceView[];
  #next = 0;
  changes = 0;

  private constructor(server: Server, views: InstanceView[]) {
    this.#server = server;
    this.#views = views;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(count: number): Promise<CrowdApi> {
    const views = Array.from({ length: count }, (_, i) => instance(`instance-${i}`, { createdAt: i, ...STATES[i % 4] }));
    const context = {
      version: "1",
      platform: "crowd",
      keys: null,
      dashboardDir: resolve("dist/dashboard"),
      links: { routes() {} },
      functions: { list: () => [], byUid: (uid: string) => ({ name: `function-${uid}` }), uses: () => true, find: () => undefined },
      pools: { list: () => [{ ...POOL, size: 200, max: 2000 }] },
      statistics: { of: () => null, courseOf: () => [] },
      doubtOf: () => null,
      problemsOf: () => [],
      routerAddress: () => null,
      failed: () => {},
      ready: () => true,
      instances: () => ({ views, placeOf: () => ({ node: "node-1", address: "10.0.0.1:8080" }), now: performance.now(), demand: new Map() }),
      onEvent: () => () => {},
    } as unknown as ApiContext;
    const api = await buildApi(context, pino({ enabled: false }));
    await api.ready();
    const server = createServer((req, res) => api.routing(req, res)).listen(0, "127.0.0.1");
    await once(server, "listening");
    server.on("close", () => void api.close());
    return new CrowdApi(server, views);
  }

  /** Another instance has another state; each time it is one that has not been changed for long. */
  change(): void {
    this.#next = (this.#next + 37) % this.#views.length;
    const before = this.#views[this.#next] as InstanceView;
    const at = STATES.findIndex(({ state, inFlight }) => state === before.state && (inFlight ?? 0) === before.inFlight);
    this.#views[this.#next] = instance(before.uid, { createdAt: before.createdAt, ...STATES[(at + 1) % STATES.length] });
    this.changes += 1;
  }

  /** Instances by the look that the page should give them. */
  count(state: string): number {
    return this.#views.filter((view) => view.state === state).length;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
