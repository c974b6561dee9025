import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RegistryClient } from "../../../../pool-manager/images/registry.ts";
import { credentialsFor } from "../../../../pool-manager/images/registry-auth.ts";

const temporary = () => mkdtempSync(join(tmpdir(), "berth-test-"));
const basic = (username: string, password: string) => Buffer.from(`${username}:${password}`).toString("base64");

test("rotated credentials are used at the next challenge, without a restart", async () => {
  let password = "one";
  const server = createServer((req, res) => {
    const accepted = req.headers.authorization === `Basic ${basic("ada", password)}`;
    res.writeHead(accepted ? 200 : 401, accepted ? {} : { "www-authenticate": 'Basic realm="registry"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const dir = temporary();
  const write = (secret: string) => {
    writeFileSync(join(dir, "username"), "ada\n");
    writeFileSync(join(dir, "password"), `${secret}\n`);
  };
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new RegistryClient({ registry, credentials: () => credentialsFor(registry, { BERTH_REGISTRY_CREDENTIALS: dir }), insecure: false });
  try {
    write("one");
    await client.ping();
    password = "two";
    await expect(client.ping()).rejects.toMatchObject({ status: 401 });
    write("two");
    await client.ping();
  } finally {
    server.close();
  }
});

test("credentials come from docker's configuration where nothing else is set; one that is no JSON is named", () => {
  const dir = temporary();
  const env = { DOCKER_CONFIG: dir };
  expect(credentialsFor("r:1", env)).toBeNull();
  writeFileSync(join(dir, "config.json"), JSON.stringify({ auths: { "r:1": { auth: basic("ada", "a:b") } } }));
  expect(credentialsFor("r:1", env)).toEqual({ username: "ada", password: "a:b" });
  expect(credentialsFor("other", env)).toBeNull();
  expect(credentialsFor("r:1", { ...env, BERTH_REGISTRY_USERNAME: "bob", BERTH_REGISTRY_PASSWORD: "c" })).toEqual({ username: "bob", password: "c" });
  writeFileSync(join(dir, "config.json"), "{");
  expect(() => credentialsFor("r:1", env)).toThrow(/config\.json is not a docker configuration/);
});
