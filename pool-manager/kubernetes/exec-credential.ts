import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Cluster } from "@kubernetes/client-node";
import { KubeError } from "./error.ts";

/** How long the command may take: it may ask an identity provider. */
const COMMAND_MS = 60_000;
/** How long a failure is remembered, so that not every request runs a command that fails. */
const FAILED_MS = 1000;
/** How long a credential is used although the API server refuses it: it may refuse everything for a moment. */
const LEAST_MS = 10_000;
const MAX_QUOTED = 300;

/** The `exec` section of a kubeconfig's user. */
export interface ExecConfig {
  apiVersion?: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  provideClusterInfo?: boolean;
  interactiveMode?: string;
}

export interface Credential {
  token: string | null;
  certificate: string | null;
  key: string | null;
}

interface Fetched extends Credential {
  at: number;
  /** By the monotonic clock; infinite if the command names no time. */
  expiresAt: number;
}

/**
 * The credential of a command that the kubeconfig names, as `kubectl` gets it
 * (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). It is kept until it expires or the API server
 * refuses it. @kubernetes/client-node runs the command for each request if no expiry is named, and waits without a bound.
 */
export class ExecCredential {
  readonly #exec: ExecConfig;
  readonly #cluster: Cluster;
  /** The folder of the kubeconfig, which a relative path to the command starts from. */
  readonly #dir: string;
  #kept: Fetched | null = null;
  #running: Promise<Fetched> | null = null;

  constructor(exec: ExecConfig, cluster: Cluster, dir: string) {
    this.#exec = exec;
    this.#cluster = cluster;
    this.#dir = dir;
  }

  /** Rejects with a `KubeError` of status 401. */
  get(): Promise<Credential> {
    if (this.#kept && this.#kept.expiresAt > performance.now()) return Promise.resolve(this.#kept);
    this.#running ??= this.#fetch();
    return this.#running;
  }

  /** The API server has answered 401. True: the next one may be another. */
  refused(): boolean {
    if (this.#running) return true;
    if (!this.#kept || performance.now() - this.#kept.at < LEAST_MS) return false;
    this.#kept = null;
    return true;
  }

  async #fetch(): Promise<Fetched> {
    try {
      this.#kept = parse(await this.#run(), this.#named);
      this.#running = null;
      return this.#kept;
    } catch (error) {
      setTimeout(() => {
        this.#running = null;
      }, FAILED_MS).unref();
      throw error;
    }
  }

  #run(): Promise<string> {
    const { command, args, env, interactiveMode } = this.#exec;
    if (interactiveMode === "Always") throw new KubeError(401, "NoCredentials", `${this.#named} needs a terminal (interactiveMode: Always): name another user`);
    const given = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
    const options = { env: { ...process.env, KUBERNETES_EXEC_INFO: this.#info(), ...given }, timeout: COMMAND_MS, killSignal: "SIGKILL" } as const;
    // As in a shell, only a command with a slash is a path.
    const program = command.includes("/") && !isAbsolute(command) ? join(this.#dir, command) : command;
    return new Promise((resolve, reject) => {
      const child = execFile(program, args ?? [], options, (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const why = error.killed ? `no answer within ${COMMAND_MS / 1000} s` : stderr.trim() || error.message;
        // The reason comes last; much may precede it.
        reject(new KubeError(401, "NoCredentials", `${this.#named} gives no credentials: ${why.replace(/\s+/g, " ").slice(-MAX_QUOTED)}`));
      });
      child.stdin?.end();
    });
  }

  /** The value of `KUBERNETES_EXEC_INFO`: client-go always says whether there is a terminal. */
  #info(): string {
    const { apiVersion = "client.authentication.k8s.io/v1", provideClusterInfo } = this.#exec;
    const { server, caData, caFile, tlsServerName, skipTLSVerify, proxyUrl } = this.#cluster;
    const cluster = {
      server,
      "certificate-authority-data": caData ?? (caFile ? readFileSync(caFile, "base64") : undefined),
      "tls-server-name": tlsServerName,
      "insecure-skip-tls-verify": skipTLSVerify,
      "proxy-url": proxyUrl,
    };
    return JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false, ...(provideClusterInfo && { cluster }) } });
  }

  get #named(): string {
    return `the kubeconfig's command ${this.#exec.command}`;
  }
}

function parse(output: string, named: string): Fetched {
  try {
    const { token, clientCertificateData, clientKeyData, expirationTimestamp } = JSON.parse(output).status;
    if (!token && !(clientCertificateData && clientKeyData)) throw new Error("neither a token nor a certificate with its key");
    const leftMs = expirationTimestamp ? Date.parse(expirationTimestamp) - Date.now() : Number.POSITIVE_INFINITY;
    if (Number.isNaN(leftMs)) throw new Error(`an expirationTimestamp that is no time: ${expirationTimestamp}`);
    const at = performance.now();
    return { token: token ?? null, certificate: clientCertificateData ?? null, key: clientKeyData ?? null, at, expiresAt: at + leftMs };
  } catch (error) {
    throw new KubeError(401, "NoCredentials", `${named} gives no ExecCredential: ${(error as Error).message}`);
  }
}
