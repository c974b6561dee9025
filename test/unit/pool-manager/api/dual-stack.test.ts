import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { ApiListener } from "../../../../pool-manager/api/listener.ts";
import { startRouter } from "../../../../router/start.ts";
import { listenHost, ownHost, peerAddress } from "../../../../runtime-images/protocol/listen-host.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
/** Addresses at which a listener at "::" is reached: those of both families, or of IPv4 alone if there is no other. */
const LOOPBACKS = HAS_IPV6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"];

function ask(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host, port, path, agent: false }, async (res: IncomingMessage) => {
      let text = "";
      for await (const chunk of res) text += chunk;
      resolve(text);
    }).on("error", reject);
  });
}

test("a router that listens at :: is reached by both families, reaches instances of both, and passes plain addresses on", async () => {
  const instance = createServer((req, res) => res.end(req.headers["x-forwarded-for"])).listen(0, listenHost("::"));
  await once(instance, "listening");
  const { port } = instance.address() as AddressInfo;
  const functions = LOOPBACKS.map((host, i) => {
    const name = `f${i}`;
    return tableFunction({ key: name, uid: name, name, concurrency: 4, endpoints: [endpoint({ host, port })] });
  });
  const router = await startRouter(routerConfig({ host: "::" }), () => ({
    subscribe: (listener) => {
      listener({ type: "snapshot", functions });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  }));
  const at = Number(new URL(router.url).port);
  for (const host of LOOPBACKS) for (const { name } of functions) expect([host, name, await ask(host, at, `/function/${name}`)]).toEqual([host, name, host]);
  await router.close();
  instance.closeAllConnections();
  instance.close();
});

test("a manage API that listens at :: is reached by both families", async () => {
  const front = await ApiListener.listen("::", 0, (_req, res) => void res.end("here"));
  for (const host of LOOPBACKS) expect(await ask(host, front.port, "/")).toBe("here");
  await front.close();
});

test.each([
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["10.0.0.1", "10.0.0.1"],
  ["fd00::1", "fd00::1"],
  ["::ffff:0:1", "::ffff:0:1"],
  ["::1", "::1"],
])("the peer %s is written as %s", (address, written) => {
  expect(peerAddress(address)).toBe(written);
});

test("a listener at :: is no host for Node and loopback for its own process; any other address stays as it is", () => {
  expect([listenHost("::"), ownHost("::"), listenHost("127.0.0.1"), ownHost("127.0.0.1")]).toEqual([undefined, "127.0.0.1", "127.0.0.1", "127.0.0.1"]);
});
