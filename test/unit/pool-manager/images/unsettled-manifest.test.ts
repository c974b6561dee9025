import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { RegistryClient } from "../../../../pool-manager/images/registry.ts";

let server: Server;
afterEach(() => server.close());

/** A registry that answers manifests with these codes, one after the other, and then accepts them. Resolves with a client, and with the number of its requests. */
async function registry(codes: string[]): Promise<{ client: RegistryClient; asked: () => number }> {
  const left = [...codes];
  let count = 0;
  server = createServer((req, res) => {
    count += 1;
    req.resume().on("end", () => {
      const code = left.shift();
      if (code === undefined) return res.writeHead(201).end();
      res.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ errors: [{ code, message: "m" }] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { client: new RegistryClient({ registry: `127.0.0.1:${port}`, login: async () => null, insecure: true }), asked: () => count };
}

const MANIFEST = new TextEncoder().encode("{}");

describe("a manifest whose blobs another client pushes at the same moment", () => {
  test("is pushed again until the registry can read them", async () => {
    const { client, asked } = await registry(["DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"]);
    await client.pushManifest("code", "t", MANIFEST);
    expect(asked()).toBe(3);
  });

  test("is refused in the registry's words if it cannot for longer", async () => {
    const { client, asked } = await registry(Array.from({ length: 9 }, () => "MANIFEST_BLOB_UNKNOWN"));
    await expect(client.pushManifest("code", "t", MANIFEST)).rejects.toMatchObject({ status: 400, message: expect.stringContaining("MANIFEST_BLOB_UNKNOWN") });
    expect(asked()).toBe(4);
  });

  test("is not pushed again for another reason", async () => {
    const { client, asked } = await registry(["MANIFEST_INVALID"]);
    await expect(client.pushManifest("code", "t", MANIFEST)).rejects.toMatchObject({ status: 400 });
    expect(asked()).toBe(1);
  });
});
