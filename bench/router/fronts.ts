import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LINK_ALIVE_MS, type TableFunction } from "../../pool-manager/client/contract.ts";
import { processCpuUs } from "../report/machine.ts";

/** A server that accepts requests for the function: a proxy in its own process, or the instance itself. */
export interface Front {
  name: string;
  url: string;
  headers: Record<string, string>;
  pid: number;
  /** The processor time so far, in microseconds, without the instance's. */
  cpuUs(): number;
  stop(): Promise<void>;
}

/** The address of the function's instance, and the headers that it requires. */
export interface Upstream {
  url: string;
  headers: Record<string, string>;
}

const READY_MS = 15_000;

export function direct({ url, headers }: Upstream): Front {
  return { name: "direct", url, headers: { ...headers, "x-call-id": "direct" }, pid: 0, cpuUs: () => 0, stop: async () => {} };
}

/** nginx with one worker, upstream keep-alive, and no access log. */
export async function nginx({ url, headers }: Upstream): Promise<Front> {
  const dir = mkdtempSync(join(tmpdir(), "berth-nginx-"));
  const port = await freePort();
  const set = Object.entries(headers).map(([name, value]) => `proxy_set_header ${name} "${value}";`);
  writeFileSync(
    join(dir, "nginx.conf"),
    `daemon off; master_process off; pid ${dir}/pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  upstream instance { server ${new URL(url).host}; keepalive 128; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://instance/; proxy_http_version 1.1; proxy_set_header Connection ""; ${set.join(" ")} } }
}
`,
  );
  return started("nginx", port, spawn("nginx", ["-c", join(dir, "nginx.conf"), "-e", "stderr"], { stdio: ["ignore", "ignore", "inherit"] }), () =>
    rmSync(dir, { recursive: true }),
  );
}

/** A proxy of `bench/router/proxies/`. */
export async function proxy(name: "reply-from" | "node-http", { url, headers }: Upstream): Promise<Front> {
  const port = await freePort();
  const args = ["--import", "tsx", `bench/router/proxies/${name}.ts`, String(port), url, JSON.stringify(headers)];
  return started(name, port, spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }));
}

/** node:http alone, with the handler that this module source exports. */
export async function bareServer(source: string): Promise<Front> {
  const port = await freePort();
  return started(
    "bare",
    port,
    spawn(process.execPath, ["--import", "tsx", "bench/router/servers/bare.ts", String(port), source], { stdio: ["ignore", "ignore", "inherit"] }),
  );
}

/** A router of the pool manager at `manageUrl` with these options, through which the function `hello` is invoked. */
export async function router(name: string, manageUrl: string, options: readonly string[] = []): Promise<Front> {
  const port = await freePort();
  const args = ["dist/berth.js", "--url", manageUrl, "router", "--router-port", String(port), "--unready", "0", ...options];
  const front = await started(name, port, spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }));
  return { ...front, url: `${front.url}/function/hello` };
}

/** A stand-in for a pool manager that sends one table and ignores reports: for tables that are too large to run on this machine. */
export async function tableServer(functions: readonly TableFunction[]): Promise<{ url: string; close(): void }> {
  const server = createServer((req, res) => {
    if (req.method === "POST") return void req.resume().on("end", () => res.writeHead(204).end());
    res.write(`${JSON.stringify({ type: "snapshot", functions })}\n`);
    const alive = setInterval(() => res.write("\n"), LINK_ALIVE_MS);
    res.on("close", () => clearInterval(alive));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close().closeAllConnections() };
}

async function started(name: string, port: number, child: ChildProcess, after: () => void = () => {}): Promise<Front> {
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    after();
  };
  for (const deadline = Date.now() + READY_MS; ; ) {
    const up = await fetch(url, { method: "HEAD" }).then(
      () => true,
      () => false,
    );
    if (up) break;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { name, url, headers: {}, pid: child.pid ?? 0, cpuUs: () => processCpuUs(child.pid ?? 0), stop };
}

async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
