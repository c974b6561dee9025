import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KubeClient } from "../../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../../pool-manager/kubernetes/error.ts";
import { createIdentity } from "../../../../runtime-images/supervisor/certificate.ts";

const PATH = "/api/v1/pods";
let dir: string;
let ends: (() => unknown)[];
/** The tokens of the requests, as the API server got them. */
let presented: string[];
/** The credential that the API server accepts; null: any. */
let accepted: string | null;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-kubeconfig-"));
  ends = [];
  presented = [];
  accepted = null;
});
afterEach(async () => {
  vi.useRealTimers();
  for (const end of ends.reverse()) await end();
  rmSync(dir, { recursive: true });
});

async function listen<T extends Server>(server: T): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    (server as unknown as HttpServer).closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An API server; resolves with its URL. */
async function apiServer(scheme: "http" | "https" = "https"): Promise<string> {
  const answer = (req: IncomingMessage, res: { statusCode: number; end(text: string): void }) => {
    presented.push(req.headers.authorization ?? "");
    if (accepted !== null && req.headers.authorization !== accepted) res.statusCode = 401;
    res.end("{}");
  };
  const { key, cert } = createIdentity();
  const server = scheme === "http" ? createHttpServer(answer) : createServer({ key: key.export({ type: "pkcs8", format: "pem" }), cert }, answer);
  return `${scheme}://127.0.0.1:${await listen(server)}`;
}

/** A client by a kubeconfig with this user and cluster. */
async function client(server: string, user: object, cluster: object = {}): Promise<KubeClient> {
  const file = join(dir, "config");
  const trust = server.startsWith("https") ? { "insecure-skip-tls-verify": true } : {};
  const clusters = [{ name: "c", cluster: { server, ...trust, ...cluster } }];
  const contexts = [{ name: "x", context: { cluster: "c", user: "u" } }];
  writeFileSync(file, JSON.stringify({ clusters, users: [{ name: "u", user }], contexts, "current-context": "x" }));
  const kube = await KubeClient.connect(file, "ns");
  ends.push(() => kube.close());
  return kube;
}

/** A command that counts its runs, and answers a credential with its count as the token, or what `script` does. */
function command(script = `echo '{"status":{"token":"'$n'"}}'`): { exec: object; runs(): number } {
  const [path, log] = [join(dir, "credential"), join(dir, "runs")];
  writeFileSync(log, "");
  writeFileSync(path, `#!/bin/sh\necho run >> ${log}\nn=$(wc -l < ${log} | tr -d ' ')\n${script}\n`);
  chmodSync(path, 0o755);
  return {
    exec: { apiVersion: "client.authentication.k8s.io/v1", command: path, args: ["token"], env: null, interactiveMode: "IfAvailable" },
    runs: () => readFileSync(log, "utf8").split("\n").length - 1,
  };
}

const failure = (sent: Promise<unknown>) =>
  sent.then(
    () => "answered",
    ({ status, reason, message }: KubeError) => `${status} ${reason}: ${message}`,
  );

test("a command runs once for many requests at once, and not again while its credential is valid", async () => {
  const { exec, runs } = command();
  const kube = await client(await apiServer(), { exec });
  await Promise.all(Array.from({ length: 20 }, () => kube.get(PATH)));
  await kube.get(PATH);
  expect([runs(), new Set(presented)]).toEqual([1, new Set(["Bearer 1"])]);
});

test("it runs again once its credential has expired", async () => {
  const soon = new Date(Date.now() + 1500).toISOString();
  const { exec, runs } = command(`echo '{"status":{"token":"'$n'","expirationTimestamp":"${soon}"}}'`);
  const kube = await client(await apiServer(), { exec });
  await kube.get(PATH);
  await kube.get(PATH);
  expect(runs()).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, Date.parse(soon) - Date.now() + 50));
  await kube.get(PATH);
  expect([runs(), presented.at(-1)]).toEqual([2, "Bearer 2"]);
});

test("a credential that the API server refuses is fetched anew, and the request succeeds; constant refusals do not run the command each time", async () => {
  const { exec, runs } = command();
  const kube = await client(await apiServer(), { exec });
  await kube.get(PATH);
  accepted = "Bearer 2";
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 11_000);
  await kube.get(PATH);
  expect(runs()).toBe(2);
  accepted = "Bearer nobody";
  for (let i = 0; i < 5; i++) expect(await failure(kube.get(PATH))).toMatch(/^401/);
  expect(runs()).toBe(2);
  vi.restoreAllMocks();
});

test.each([
  ["exit 3", /^401 NoCredentials: the kubeconfig's command \S+credential gives no credentials: Command failed/],
  ["echo 'log in first' >&2; exit 1", /gives no credentials: log in first$/],
  ["echo hello", /gives no ExecCredential: /],
  [`echo '{"status":{}}'`, /neither a token nor a certificate/],
  [`echo '{"status":{"token":"t","expirationTimestamp":"soon"}}'`, /no time: soon/],
])("a command that does %j is named with its reason, and does not run for every request", async (script, message) => {
  const { exec, runs } = command(script);
  const kube = await client(await apiServer(), { exec });
  expect(await failure(kube.get(PATH))).toMatch(message);
  expect(await failure(kube.get(PATH))).toMatch(message);
  expect([runs(), presented]).toEqual([1, []]);
});

test("a command that is not installed, and one that needs a terminal", async () => {
  const server = await apiServer();
  expect(await failure((await client(server, { exec: { command: "no-such-command" } })).get(PATH))).toMatch(
    /no-such-command gives no credentials: spawn .*ENOENT/,
  );
  expect(await failure((await client(server, { exec: { command: "sh", interactiveMode: "Always" } })).get(PATH))).toMatch(/needs a terminal/);
});

test("a command that hangs delays no request for longer than its timeout", async () => {
  const { exec } = command("exec sleep 5");
  const kube = await client(await apiServer(), { exec });
  const since = performance.now();
  expect(await failure(kube.get(PATH, {}, 200))).toMatch(/^0 NoCredentials: there is no credential for GET/);
  expect(performance.now() - since).toBeLessThan(2000);
});

test("the command gets the same variables as from kubectl, and is found beside the kubeconfig", async () => {
  const server = await apiServer();
  command(`printf '{"status":{"token":"%s"}}' "$(printf '%s' "$KUBERNETES_EXEC_INFO $HAND $1" | base64 | tr -d '\\n')"`);
  mkdirSync(join(dir, "bin"));
  writeFileSync(join(dir, "bin/credential"), readFileSync(join(dir, "credential")));
  chmodSync(join(dir, "bin/credential"), 0o755);
  const exec = { command: "bin/credential", args: ["token"], env: [{ name: "HAND", value: "left" }], provideClusterInfo: true };
  await (await client(server, { exec })).get(PATH);
  const told = Buffer.from(presented[0]?.slice("Bearer ".length) ?? "", "base64").toString();
  const [info = "", ...rest] = told.split(" ");
  expect(rest).toEqual(["left", "token"]);
  expect(JSON.parse(info)).toMatchObject({ kind: "ExecCredential", spec: { interactive: false, cluster: { server, "insecure-skip-tls-verify": true } } });
});

test("a kubeconfig that is missing, broken or names no server is an error that names the file", async () => {
  const file = join(dir, "config");
  expect(await failure(KubeClient.connect(file, "ns"))).toBe(
    `0 KubeconfigInvalid: the kubeconfig ${file} cannot be used: ENOENT: no such file or directory, open '${file}'`,
  );
  writeFileSync(file, "clusters: [");
  expect(await failure(KubeClient.connect(file, "ns"))).toMatch(/^0 KubeconfigInvalid: the kubeconfig \S+config cannot be used: [^\n]+$/);
  expect(await failure(client("nonsense", {}))).toBe('0 KubeconfigInvalid: the kubeconfig\'s server "nonsense" is no URL');
});

test("an API server behind kubectl proxy is reached by plain HTTP", async () => {
  const kube = await client(await apiServer("http"), {});
  expect(await kube.get(PATH)).toEqual({});
});

test("a proxy that the kubeconfig names is used, and its connections are kept", async () => {
  const targets: string[] = [];
  const proxy = createHttpServer().on("connect", (req, socket) => {
    targets.push(req.url ?? "");
    const [host = "", port = ""] = (req.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
  const server = await apiServer();
  const kube = await client(server, { token: "t" }, { "proxy-url": proxyUrl });
  for (let i = 0; i < 3; i++) await kube.get(PATH);
  expect([targets, presented]).toEqual([[new URL(server).host], ["Bearer t", "Bearer t", "Bearer t"]]);
});
