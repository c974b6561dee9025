import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import closeWithGrace from "close-with-grace";
import type { Registry } from "prom-client";
import { httpUrl, isHttpUrl } from "../pool-manager/client/address.ts";
import { type ApiKeys, presentedKey } from "../pool-manager/client/api-keys.ts";
import { ManagerClient } from "../pool-manager/client/client.ts";
import type { PoolManagerLink, RouterPeer } from "../pool-manager/client/contract.ts";
import { TableSnapshots } from "../pool-manager/client/snapshot.ts";
import { SnapshotLink } from "../pool-manager/client/snapshot-link.ts";
import { type Router, startRouter } from "../router/start.ts";
import { listenHost } from "../runtime-images/protocol/listen-host.ts";
import { expose } from "../telemetry/exposition.ts";
import { CliError, EXIT, portError } from "./errors.ts";
import { type RouterOptions, routerConfig } from "./options/router-options.ts";
import { Telemetry } from "./telemetry.ts";

export interface RouterCommandOptions extends RouterOptions {
  adminPort: number;
  namespace: string;
  /** Whether OpenFaaS's API is passed on to the pool manager. */
  openfaas?: boolean;
  redis?: string;
  /** In milliseconds. */
  unready: number;
}

/** How long running invocations may take when the router stops. */
const DRAIN_MS = 30_000;
/** pino's level of what a router says of itself. */
const WARN = 40;

/** Runs a router of the pool manager at `managerUrl` until it is stopped. */
export async function router(managerUrl: string, key: string | null, options: RouterCommandOptions): Promise<void> {
  if (!isHttpUrl(managerUrl)) {
    throw new CliError(
      "URL_INVALID",
      `${JSON.stringify(managerUrl)} is not the address of a pool manager`,
      "give --url (or BERTH_URL) as http://HOST:PORT, an IPv6 address in brackets",
      EXIT.usage,
    );
  }
  const snapshots = options.redis ? new TableSnapshots(options.redis, options.namespace) : null;
  const config = routerConfig(options.openfaas ? { ...options, manageUrl: managerUrl } : options, key, options.unready, DRAIN_MS);
  const connect = (self: RouterPeer): PoolManagerLink => {
    const client = new ManagerClient(managerUrl, self, key);
    return snapshots ? new SnapshotLink(client, snapshots) : client;
  };
  const write = (line: string) => process.stderr.write(`router: ${line}\n`);
  const telemetry = await Telemetry.open("berth-router", options, write);
  const say = (line: string) => {
    write(line);
    telemetry.ownLines?.write(JSON.stringify({ level: WARN, time: Date.now(), msg: line }));
  };
  const started = await startRouter(config, connect, say).catch((error) => {
    throw portError(error, "--router-port", options.routerPort);
  });
  const registries = [started.registry, telemetry.registry];
  await telemetry.follow(async () => registries);
  const admin = await startAdmin(started, registries, options, config.keys);
  closeWithGrace({ delay: options.unready + DRAIN_MS + 5000, logger: false }, async ({ err }) => {
    if (err) process.stderr.write(`the router stops: ${err.stack ?? err.message}\n`);
    await started.close();
    await telemetry.close();
    admin.close();
    snapshots?.close();
    if (err) process.exitCode = EXIT.error;
  });
  const { port } = admin.address() as AddressInfo;
  process.stdout.write(`router ready: invoke ${started.url} admin ${httpUrl(options.host, port)}\n`);
}

async function startAdmin(
  { unready }: Router,
  registries: readonly Registry[],
  { host, adminPort }: RouterCommandOptions,
  keys: ApiKeys | null,
): Promise<Server> {
  const server = createServer((req, res) => {
    const path = req.url?.split("?")[0];
    if (path === "/metrics" && keys && !keys.rolesOf(presentedKey(req.headers.authorization, undefined))?.has("monitor")) {
      res.writeHead(401).end("a key with the role monitor is required\n");
    } else if (path === "/metrics") {
      void expose(registries, req.headers.accept).then(({ type, text }) => res.setHeader("content-type", type).end(text));
    } else if (path === "/readyz" && unready() !== null) {
      res.writeHead(503).end(`${unready()}\n`);
    } else {
      res.writeHead(path === "/readyz" || path === "/healthz" ? 200 : 404).end();
    }
  });
  server.listen(adminPort, listenHost(host));
  await once(server, "listening").catch((error) => {
    throw portError(error, "--admin-port", adminPort);
  });
  return server;
}
