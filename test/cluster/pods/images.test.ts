import { execFileSync, spawn } from "node:child_process";
import { createSign, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { RegistryClient } from "../../../pool-manager/images/registry.ts";
import { buildIdleImage, buildRuntimeImage, pushImage, writeRootfs } from "../../../pool-manager/images/runtime-image.ts";
import { CLONESETS } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { CACHE_DIR, clusterConfig, ENTRY_PROGRAM } from "../subject/subject.ts";

const DIST = resolve("runtime-images/node/dist");
const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
});

function inspect(reference: string, ...flags: string[]): { Digest: string; Labels: Record<string, string>; Os: string; Layers: string[] } {
  return JSON.parse(execFileSync("skopeo", ["inspect", "--tls-verify=false", ...flags, `docker://${reference}`], { encoding: "utf8", timeout: 60_000 }));
}

describe("images that we write", () => {
  test("are read by skopeo as we have pushed them", async () => {
    const registry = new RegistryClient({ registry: `${clusterConfig("x").registry}/skopeo`, login: async () => null, insecure: false });
    for (const [name, image] of [
      ["idle", await buildIdleImage(ENTRY_PROGRAM)],
      ["runtime", await buildRuntimeImage(CACHE_DIR, DIST)],
    ] as const) {
      const reference = await pushImage(registry, name, image);
      const found = inspect(reference.replace(/:[^:@]+@/, "@"));
      expect([found.Digest, found.Os, found.Layers.length]).toEqual([image.built.digest, "linux", image.blobs.size]);
    }
  });

  test("and the tree for the Dockerfile is the one that the runtime image holds", async () => {
    const rootfs = join(dir, "rootfs");
    await writeRootfs(rootfs, DIST);
    const image = await buildRuntimeImage(CACHE_DIR, DIST);
    const unpacked = join(dir, "unpacked");
    execFileSync("mkdir", [unpacked]);
    for (const [digest, read] of image.blobs) {
      const file = join(dir, digest.slice(7));
      writeFileSync(file, await read());
      execFileSync("tar", ["-xf", file, "-C", unpacked]);
    }
    execFileSync("diff", ["-r", rootfs, unpacked]);
    const modes = (root: string) => execFileSync("sh", ["-c", `cd ${root} && find . -type f -printf '%P %m\\n' | sort`], { encoding: "utf8" });
    expect(modes(unpacked)).toBe(modes(rootfs));
    expect(readFileSync("runtime-images/node/Dockerfile", "utf8")).toContain("COPY rootfs/ /");
  });
});

/** A registry of its own that requires credentials. */
async function startRegistry(auth: object): Promise<string> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const file = join(dir, `registry-${port}.yaml`);
  writeFileSync(
    file,
    stringify({ version: "0.1", log: { level: "error" }, storage: { inmemory: {}, delete: { enabled: true } }, http: { addr: `127.0.0.1:${port}` }, auth }),
  );
  const child = spawn("docker-registry", ["serve", file], { stdio: "ignore", env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: "none" } });
  stops.push(() => child.kill());
  await until(async () => (await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => null))?.status === 401, "the registry answers");
  return `127.0.0.1:${port}/some`;
}

async function pushSomething(registry: string, password: string): Promise<string> {
  const client = new RegistryClient({ registry, login: async () => ({ username: "ada", password }), insecure: false });
  return pushImage(client, "idle", await buildIdleImage(ENTRY_PROGRAM), "latest");
}

describe("a registry that wants credentials", () => {
  test("basic: pushes with the right ones, and says what is wrong with others", async () => {
    writeFileSync(join(dir, "htpasswd"), execFileSync("htpasswd", ["-nbB", "ada", "right"]));
    const registry = await startRegistry({ htpasswd: { realm: "test", path: join(dir, "htpasswd") } });
    await pushSomething(registry, "right");
    expect(inspect(`${registry}/idle:latest`, "--creds", "ada:right").Os).toBe("linux");
    await expect(pushSomething(registry, "wrong")).rejects.toMatchObject({ status: 401 });
    const none = new RegistryClient({ registry, login: async () => null, insecure: false });
    await expect(none.digest("idle", "latest")).rejects.toThrow(/BERTH_REGISTRY_USERNAME/);
  });

  test("token: fetches one from the realm for each repository", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const [keyFile, certFile] = [join(dir, "token.key"), join(dir, "token.crt")];
    writeFileSync(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }));
    execFileSync("openssl", ["req", "-x509", "-key", keyFile, "-out", certFile, "-subj", "/CN=test", "-days", "1"], { stdio: "ignore" });
    const scopes: string[] = [];
    const realm = createServer((req, res) => {
      const { searchParams } = new URL(req.url ?? "", "http://realm");
      const scope = searchParams.get("scope") ?? "";
      if (req.headers.authorization !== `Basic ${Buffer.from("ada:right").toString("base64")}`) return res.writeHead(401).end();
      scopes.push(scope);
      const [type, name, actions = ""] = scope.split(":");
      const access = name ? [{ type, name, actions: actions.split(",") }] : [];
      res.end(JSON.stringify({ token: token(access, privateKey, readFileSync(certFile, "utf8")) }));
    }).listen(0, "127.0.0.1");
    stops.push(() => realm.close());
    await until(() => realm.listening, "the realm listens");
    const url = `http://127.0.0.1:${(realm.address() as AddressInfo).port}/token`;
    const registry = await startRegistry({ token: { realm: url, service: "test", issuer: "test", rootcertbundle: certFile } });
    await pushSomething(registry, "right");
    expect(scopes.some((scope) => scope.startsWith("repository:some/idle:") && scope.includes("push"))).toBe(true);
    await expect(pushSomething(registry, "wrong")).rejects.toMatchObject({ status: 401 });
  });
});

/** A token as docker-registry requires it: a JWT whose header carries the certificate. */
function token(access: object[], key: KeyObject, cert: string): string {
  const x5c = [cert.replace(/-----[^-]+-----|\s/g, "")];
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: "test", sub: "ada", aud: "test", exp: now + 300, nbf: now - 10, iat: now, jti: randomUUID(), access };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ typ: "JWT", alg: "RS256", x5c })}.${encode(payload)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key).toString("base64url")}`;
}

describe("code images of a cluster", () => {
  let cluster: ClusterBerth;
  beforeAll(async () => {
    // The grace in which the same manifest could come again is left out.
    cluster = await ClusterBerth.start({ poolSize: 1, retention: { graceMs: 0 } });
  });
  afterAll(() => cluster.finish());

  test("are pushed and downloaded ahead, and leave the registry when no revision needs them", async () => {
    const { metadata } = await cluster.view.kube.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${cluster.namespace}`);
    const registry = new RegistryClient({ registry: clusterConfig("x").registry, login: async () => null, insecure: false });
    const repository = `berth/code-${metadata.uid.slice(0, 8)}`;
    const tags = () => registry.tags(repository);
    await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };");
    await cluster.berth.deploy("gone", `export default { fetch: () => new Response('gone ${randomUUID()}') };`);
    await until(async () => (await tags()).length === 2, "both images are in the registry");
    for (const tag of await tags()) {
      const reference = `${clusterConfig("x").registry}/${repository}:${tag}`;
      expect(inspect(reference).Labels["dev.berth.function"]).toMatch(/kept|gone/);
      const path = `${CLONESETS}/namespaces/${cluster.namespace}/imagepulljobs/code-${tag}`;
      const job = () => cluster.view.kube.get<{ status?: { succeeded?: number } }>(path).catch(() => null);
      await until(async () => ((await job())?.status?.succeeded ?? 0) > 0, "a node has it before it is asked for");
    }
    await cluster.berth.api.call("DELETE", "/v1/functions/gone");
    await until(async () => (await tags()).length === 1, "one image is left");
    await until(async () => (await cluster.view.functionSets()).length === 1, "one CloneSet is left");
    expect(await cluster.text("kept")).toBe("200 kept");
  });
});
