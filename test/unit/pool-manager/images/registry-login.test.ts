import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RegistryClient } from "../../../../pool-manager/images/registry.ts";
import { registryLogin } from "../../../../pool-manager/images/registry-login.ts";

let dir: string;
const ends: (() => void)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-docker-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const end of ends.splice(0)) end();
  rmSync(dir, { recursive: true });
});

const basic = (username: string, password: string) => Buffer.from(`${username}:${password}`).toString("base64");
const env = () => ({ DOCKER_CONFIG: dir, PATH: `${dir}:${process.env.PATH}` });
const configure = (config: unknown) => writeFileSync(join(dir, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
const login = (host: string, more: NodeJS.ProcessEnv = {}) => registryLogin(host, { ...env(), ...more });

/** A credential helper that notes what it is asked for, and does what `script` says. */
function helper(name: string, script: string): void {
  const path = join(dir, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\necho "$1 $(cat)" > ${join(dir, "asked")}\n${script}\n`);
  chmodSync(path, 0o755);
}
const asked = () => readFileSync(join(dir, "asked"), "utf8").trim();

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("rotated credentials are used at the next challenge, without a restart", async () => {
  let password = "one";
  const registry = await serve((req, res) => {
    const accepted = req.headers.authorization === `Basic ${basic("ada", password)}`;
    res.writeHead(accepted ? 200 : 401, accepted ? {} : { "www-authenticate": 'Basic realm="registry"' }).end();
  });
  const write = (secret: string) => {
    writeFileSync(join(dir, "username"), "ada\n");
    writeFileSync(join(dir, "password"), `${secret}\n`);
  };
  const client = new RegistryClient({ registry, login: () => registryLogin(registry, { BERTH_REGISTRY_CREDENTIALS: dir }), insecure: false });
  write("one");
  await client.ping();
  password = "two";
  await expect(client.ping()).rejects.toMatchObject({ status: 401 });
  write("two");
  await client.ping();
});

test("the login comes from docker's configuration if nothing else is set; a configuration that is no JSON is named", async () => {
  expect(await login("r:1")).toBeNull();
  configure({ auths: { "r:1": { auth: basic("ada", "a:b") } } });
  expect(await login("r:1")).toEqual({ username: "ada", password: "a:b" });
  expect(await login("other")).toBeNull();
  expect(await login("r:1", { BERTH_REGISTRY_USERNAME: "bob", BERTH_REGISTRY_PASSWORD: "c" })).toEqual({ username: "bob", password: "c" });
  configure("{");
  await expect(login("r:1")).rejects.toMatchObject({ status: 401, message: expect.stringMatching(/config\.json is not a docker configuration/) });
});

test.each([
  ["ghcr.io", "ghcr.io"],
  ["ghcr.io", "https://ghcr.io"],
  ["ghcr.io", "https://ghcr.io/v2/"],
  ["docker.io", "https://index.docker.io/v1/"],
  ["docker.io", "docker.io"],
])("%s is found under the key %s, with a user name and a password beside each other as kubectl writes them too", async (host, key) => {
  configure({ auths: { [key]: { auth: basic("ada", "x") } } });
  expect(await login(host)).toEqual({ username: "ada", password: "x" });
  configure({ auths: { [key]: { username: "ada", password: "x" } } });
  expect(await login(host)).toEqual({ username: "ada", password: "x" });
});

test("credentials that docker keeps with a helper come from it: that of the registry, else that of all", async () => {
  helper("desktop", `echo '{"ServerURL":"x","Username":"ada","Secret":"kept"}'`);
  helper("ecr-login", `echo '{"Username":"AWS","Secret":"token"}'`);
  configure({
    auths: { "https://index.docker.io/v1/": {}, "ghcr.io": {} },
    credsStore: "desktop",
    credHelpers: { "1.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login" },
  });
  expect([await login("ghcr.io"), asked()]).toEqual([{ username: "ada", password: "kept" }, "get ghcr.io"]);
  expect([await login("docker.io"), asked()]).toEqual([{ username: "ada", password: "kept" }, "get https://index.docker.io/v1/"]);
  expect([await login("1.dkr.ecr.eu-west-1.amazonaws.com"), asked()]).toEqual([
    { username: "AWS", password: "token" },
    "get 1.dkr.ecr.eu-west-1.amazonaws.com",
  ]);
});

test("if a helper has no login, the file's is used; a helper that fails or is not installed is named with the reason", async () => {
  helper("pass", "echo 'credentials not found in native keychain'; exit 1");
  configure({ auths: { "r:1": { auth: basic("ada", "b") } }, credsStore: "pass" });
  expect(await login("r:1")).toEqual({ username: "ada", password: "b" });
  expect(await login("other")).toBeNull();
  helper("pass", "echo 'the keychain is locked' >&2; exit 1");
  await expect(login("r:1")).rejects.toMatchObject({
    status: 401,
    message: expect.stringMatching(/^docker-credential-pass, .* for r:1: the keychain is locked$/),
  });
  helper("pass", "echo hello");
  await expect(login("r:1")).rejects.toMatchObject({ message: expect.stringMatching(/not JSON$/) });
  configure({ credsStore: "nobody" });
  await expect(login("r:1")).rejects.toMatchObject({ status: 401, message: expect.stringMatching(/^docker-credential-nobody, .*ENOENT/) });
});

test.each([
  ["in the file", { auths: { HOST: { auth: basic("0000", ""), identitytoken: "refresh" } } }],
  ["with a helper", { credHelpers: { HOST: "acr" } }],
])("an identity token %s is exchanged for an access token", async (_where, config) => {
  const forms: Record<string, string>[] = [];
  const registry: string = await serve(async (req, res) => {
    if (req.url === "/oauth2/token") {
      const body = await req.setEncoding("utf8").reduce((all: string, chunk: string) => all + chunk, "");
      forms.push({ method: req.method ?? "", ...Object.fromEntries(new URLSearchParams(body)) });
      return void res.end('{"access_token":"granted"}');
    }
    if (req.headers.authorization === "Bearer granted") return void res.end("{}");
    res.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry}/oauth2/token",service="acr",scope="registry:catalog:*"` }).end();
  });
  helper("acr", `echo '{"Username":"<token>","Secret":"refresh"}'`);
  configure(JSON.stringify(config).replace("HOST", registry));
  await new RegistryClient({ registry, login: () => login(registry), insecure: true }).ping();
  const form = { grant_type: "refresh_token", client_id: "berth", refresh_token: "refresh", service: "acr", scope: "registry:catalog:*" };
  expect(forms).toEqual([{ method: "POST", ...form }]);
});

test("Docker Hub's API has another name than its images, and repositories in it have no further slash", async () => {
  const urls: string[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (url) => {
    urls.push(String(url));
    return new Response(null, { status: 404 });
  });
  const hub = new RegistryClient({ registry: "docker.io/ada", login: async () => null, insecure: false });
  await hub.digest("berth/code-1", "t");
  expect([hub.reference("berth/code-1", "t", "sha256:1"), urls]).toEqual([
    "docker.io/ada/berth-code-1:t@sha256:1",
    ["https://registry-1.docker.io/v2/ada/berth-code-1/manifests/t"],
  ]);
  const other = new RegistryClient({ registry: "ghcr.io/ada", login: async () => null, insecure: false });
  await other.digest("berth/code-1", "t");
  expect(urls[1]).toBe("https://ghcr.io/v2/ada/berth/code-1/manifests/t");
});
