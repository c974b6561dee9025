import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { KubeError } from "./kube-error.ts";

/** A request that the API server has not answered by then has failed: a hung webhook would hold it for 10 s. Milliseconds. */
const TIMEOUT_MS = 5000;
/** Connections to the API server: more requests wait. */
const MAX_SOCKETS = 32;
const MAX_LINE = 16 * 1024 * 1024;

/** What a write is for, as it is counted. */
export type WritePurpose = "claim" | "pool" | "function" | "remove" | "heal" | "image" | "lease" | "event" | "other";

export type PatchType = "merge" | "strategic-merge" | "json" | "apply";

interface Call {
  method: string;
  path: string;
  query?: Record<string, string> | undefined;
  body?: unknown;
  contentType?: string;
  timeoutMs?: number;
}

/**
 * The Kubernetes API over one keep-alive agent: addresses and credentials come from @kubernetes/client-node,
 * whose own calls open a TLS connection each (measured 4.5 ms against 0.8).
 */
export class Kube {
  readonly #config: KubeConfig;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: "lifo" });
  readonly server: URL;
  readonly namespace: string;
  /** Told of each write that was sent. */
  onWrite: (purpose: WritePurpose) => void = () => {};
  /** False: nothing may be written, except to the Lease itself. */
  mayWrite: () => boolean = () => true;

  private constructor(config: KubeConfig, server: URL, namespace: string) {
    this.#config = config;
    this.server = server;
    this.namespace = namespace;
  }

  /** Reads the kubeconfig file, or KUBECONFIG, or ~/.kube/config, or the pod's service account. Throws when there is none. */
  static async connect(kubeconfig: string | null, namespace: string): Promise<Kube> {
    const { KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    if (kubeconfig) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new KubeError(0, "NoCluster", "the kubeconfig names no cluster for its current context");
    return new Kube(config, new URL(cluster.server), namespace);
  }

  get<T>(path: string, query?: Record<string, string>, timeoutMs = TIMEOUT_MS): Promise<T> {
    return this.#json<T>({ method: "GET", path, query, timeoutMs });
  }

  /** A plain-text answer, such as a log. */
  async text(path: string, query?: Record<string, string>, timeoutMs = TIMEOUT_MS): Promise<string> {
    return (await this.#call({ method: "GET", path, query, timeoutMs })).toString("utf8");
  }

  create<T>(path: string, body: unknown, purpose: WritePurpose = "other"): Promise<T> {
    return this.#write<T>({ method: "POST", path, body, contentType: "application/json" }, purpose);
  }

  replace<T>(path: string, body: unknown, purpose: WritePurpose = "other", timeoutMs = TIMEOUT_MS): Promise<T> {
    return this.#write<T>({ method: "PUT", path, body, contentType: "application/json", timeoutMs }, purpose);
  }

  patch<T>(path: string, type: PatchType, body: unknown, purpose: WritePurpose = "other", query?: Record<string, string>): Promise<T> {
    const suffix = type === "apply" ? "apply-patch+yaml" : `${type}-patch+json`;
    return this.#write<T>({ method: "PATCH", path, query, body, contentType: `application/${suffix}` }, purpose);
  }

  delete<T>(path: string, body: unknown = {}, purpose: WritePurpose = "other"): Promise<T> {
    return this.#write<T>({ method: "DELETE", path, body, contentType: "application/json" }, purpose);
  }

  /**
   * Opens a streaming answer and calls `onLine` for each of its lines; `onEnd` once when it has ended, for whatever
   * reason. Returns the function that ends it.
   */
  stream(path: string, query: Record<string, string>, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void {
    let ended = false;
    let abort = () => {};
    const end = (error: KubeError | null) => {
      if (ended) return;
      ended = true;
      abort();
      onEnd(error);
    };
    void this.#open({ method: "GET", path, query }, new Agent({ maxSockets: 1 }))
      .then((res) => {
        abort = () => res.destroy();
        if (ended) return abort();
        eachLine(res, onLine, end);
      })
      .catch((error) => end(error as KubeError));
    return () => end(null);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #write<T>(call: Call, purpose: WritePurpose): Promise<T> {
    if (purpose !== "lease" && !this.mayWrite()) throw new KubeError(0, "InDoubt", "not certain to be the leader: nothing is written");
    this.onWrite(purpose);
    return this.#json<T>(call);
  }

  async #json<T>(call: Call): Promise<T> {
    const body = await this.#call(call);
    return (body.length > 0 ? JSON.parse(body.toString("utf8")) : null) as T;
  }

  async #call(call: Call): Promise<Buffer> {
    const res = await this.#open(call, this.#agent);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of res) chunks.push(chunk as Buffer);
    } catch (error) {
      throw unreachable(error as Error);
    }
    return Buffer.concat(chunks);
  }

  /** Resolves with the answer's head; rejects where it is not 2xx. */
  async #open({ method, path, query, body, contentType, timeoutMs = TIMEOUT_MS }: Call, agent: Agent): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options as never);
    const search = query ? `?${new URLSearchParams(query)}` : "";
    const headers: Record<string, string | number> = { ...(options.headers as Record<string, string>), accept: "application/json", "user-agent": "berth" };
    if (payload && contentType) Object.assign(headers, { "content-type": contentType, "content-length": payload.length });
    const { hostname, port, pathname } = this.server;
    const target = { hostname, port: port || 443, path: pathname.replace(/\/$/, "") + path + search, method };
    return new Promise((resolve, reject) => {
      const req = request({ ...options, ...target, headers, agent }, (res) => {
        clearTimeout(timer);
        if ((res.statusCode ?? 0) < 300) resolve(res);
        else void readError(res).then(reject);
      });
      const timer = setTimeout(() => req.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      req.on("error", (error) => {
        clearTimeout(timer);
        reject(unreachable(error));
      });
      req.end(payload);
    });
  }
}

function unreachable(error: Error): KubeError {
  return error instanceof KubeError ? error : new KubeError(0, "Unreachable", `the API server does not answer: ${error.message}`);
}

async function readError(res: IncomingMessage): Promise<KubeError> {
  let text = "";
  try {
    for await (const chunk of res.setEncoding("utf8")) text += chunk;
    const status = JSON.parse(text) as { reason?: string; message?: string };
    return new KubeError(res.statusCode ?? 0, status.reason ?? "", status.message ?? text);
  } catch {
    return new KubeError(res.statusCode ?? 0, "", text.slice(0, 500) || `status ${res.statusCode}`);
  }
}

function eachLine(res: IncomingMessage, onLine: (line: string) => void, end: (error: KubeError | null) => void): void {
  let rest = "";
  res.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) return end(new KubeError(0, "TooLong", "a line of the stream is too long"));
    for (const line of lines) if (line) onLine(line);
  });
  res.on("end", () => end(null));
  res.on("close", () => end(null));
  res.on("error", (error) => end(unreachable(error)));
}
