import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listeningSockets, parseSockets, socketsOf } from "../../../../../runtime-images/custom/process/listening-sockets.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

describe("a table of the kernel", () => {
  test.each([
    [
      "of IPv4",
      "   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 48213 1 0000000000000000 100 0 0 10 0",
      "127.0.0.1:5000",
    ],
    [
      "of all addresses",
      "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 48213 1 0000000000000000 100 0 0 10 0",
      "0.0.0.0:80",
    ],
    [
      "of IPv6",
      "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 48213 1 0000000000000000 100 0 0 10 0",
      "[::1]:8080",
    ],
    [
      "of an address of IPv6",
      "   0: B80D0120000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 48213 1 0000000000000000 100 0 0 10 0",
      "[2001:db8::1]:8080",
    ],
  ])("names a socket %s", (_, line, address) => {
    expect(parseSockets(`${HEAD}${line}\n`)).toEqual([{ address, uid: 65532, inode: "48213" }]);
  });

  test("names only sockets that listen", () => {
    const connected = "   2: 0100007F:A3D4 0100007F:1388 01 00000000:00000000 00:00000000 00000000  1000        0 50001 1 0000000000000000 20 4 30 10 -1";
    expect(parseSockets(`${HEAD}${connected}\n`)).toEqual([]);
    expect(parseSockets("")).toEqual([]);
  });
});

describe.runIf(process.platform === "linux")("this machine", () => {
  const server = createServer();
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => server.close());

  test("lists a socket with the user and the process that hold it", () => {
    const { port } = server.address() as { port: number };
    const found = listeningSockets().find(({ address }) => address === `127.0.0.1:${port}`);
    expect(found?.uid).toBe(process.getuid?.());
    expect(socketsOf((pid) => pid === process.pid).has(found?.inode ?? "")).toBe(true);
    expect(socketsOf((pid) => pid !== process.pid).has(found?.inode ?? "")).toBe(false);
  });
});
