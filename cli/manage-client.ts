import { API_KEY_HEADER } from "../pool-manager/client/api-keys.ts";
import { connectionError } from "./connection-error.ts";
import { CliError, EXIT } from "./errors.ts";

const TIMEOUT_MS = 60_000;
/** How long a request is retried: another pool manager takes over within ten seconds. */
const HANDOVER_MS = 12_000;
const RETRY_MS = 300;
/** Error codes that guarantee that nothing was done. */
const UNDONE = new Set(["NO_LEADER", "NOT_READY"]);

interface ApiErrorBody {
  error?: { code?: string; message?: string; fix?: string };
}

/** The manage API as the commands use it. Every failure is a `CliError`. */
export class ManageClient {
  readonly url: string;
  readonly #key: string | null;
  /** Answers that hold while a berth runs, by path. */
  readonly #lasting = new Map<string, unknown>();

  /** `key` must have the role `manage` if the listener requires keys. */
  constructor(url: string, key: string | null = null) {
    if (!/^https?:\/\/[^/]+/.test(url) || !URL.canParse(url)) {
      throw new CliError("URL_INVALID", `${JSON.stringify(url)} is not a URL`, "give --url (or BERTH_URL) as http://HOST:PORT", EXIT.usage);
    }
    if (key !== null && !/^[\x21-\x7e]+$/.test(key)) {
      throw new CliError("KEY_INVALID", "the key has invalid characters", "give --key (or BERTH_KEY) as berth key printed it", EXIT.usage);
    }
    this.#key = key;
    this.url = url.replace(/\/$/, "");
  }

  /** Headers that identify the user, to routers too. */
  get headers(): Record<string, string> {
    return this.#key === null ? {} : { [API_KEY_HEADER]: this.#key };
  }

  async get<T>(path: string): Promise<T> {
    return (await this.call("GET", path)) as T;
  }

  /** As `get`, for an answer that does not change while a berth runs: asked for once, and again after a refusal or a lost connection. */
  async lasting<T>(path: string): Promise<T> {
    if (!this.#lasting.has(path)) this.#lasting.set(path, await this.get(path));
    return this.#lasting.get(path) as T;
  }

  /** Has `lasting` ask again. */
  forget(): void {
    this.#lasting.clear();
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const binary = body instanceof Uint8Array;
    const type = binary ? "application/x-tar" : "application/json";
    const response = await this.open(method, path, {
      headers: body === undefined ? {} : { "content-type": type },
      body: body === undefined ? null : binary ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.status === 204 ? null : response.json().catch((error: Error) => this.#failed(error));
  }

  /** Uploads a tar of code; returns the digest that a deployment names. */
  async upload(tar: Uint8Array): Promise<string> {
    // The limit is read first, since a server that refuses a body by its length closes the connection during the upload.
    const { maxBytes } = await this.lasting<{ maxBytes: number }>("/v1/code");
    if (tar.length > maxBytes) {
      const message = `the code has ${tar.length} bytes, and at most ${maxBytes} are accepted`;
      throw new CliError("CODE_TOO_LARGE", message, "deploy fewer files and packages, or raise --max-code of berth", EXIT.refused);
    }
    return ((await this.call("POST", "/v1/code", tar)) as { digest: string }).digest;
  }

  /** The raw response, for streams; throws for error statuses. Retries while another pool manager takes over. */
  async open(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    for (const deadline = performance.now() + HANDOVER_MS; ; ) {
      try {
        return await this.#once(method, path, init);
      } catch (error) {
        const { code } = error as CliError;
        if (!(UNDONE.has(code) || (code === "CONNECTION_LOST" && method === "GET")) || performance.now() >= deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #once(method: string, path: string, init: RequestInit): Promise<Response> {
    const headers = { ...this.headers, ...init.headers };
    // Following a redirect would send the key elsewhere.
    const response = await fetch(this.url + path, { ...init, headers, method, redirect: "manual" }).catch((error: Error) => this.#failed(error));
    if (response.ok) return response;
    this.forget();
    if (response.status < 400) {
      const to = response.headers.get("location") ?? "nowhere";
      throw new CliError("REDIRECTED", `${this.url} redirects to ${to}`, "name the manage API itself with --url", EXIT.refused);
    }
    const { error = {} } = (await response.json().catch(() => ({}))) as ApiErrorBody;
    const exit = response.status === 404 ? EXIT.notFound : EXIT.refused;
    throw new CliError(error.code ?? `HTTP_${response.status}`, error.message ?? response.statusText, error.fix ?? "check the log of berth", exit);
  }

  /** Calls `onData` for each server-sent event. The stream never ends by itself: rejects with `CONNECTION_LOST` when Berth ends it. */
  async events(path: string, onData: (data: unknown) => void): Promise<never> {
    const response = await this.open("GET", path);
    const decoder = new TextDecoder();
    let rest = "";
    let end = "it was closed";
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) if (block.startsWith("data: ")) onData(JSON.parse(block.slice(6)));
      }
    } catch (error) {
      end = (error as Error).message;
    }
    this.forget();
    throw new CliError("CONNECTION_LOST", `the stream from ${this.url} has ended: ${end}`, "retry once berth answers", EXIT.unreachable);
  }

  #failed(error: Error): never {
    this.forget();
    throw connectionError(error, { who: "berth", url: this.url, fix: "start one with npm start, or name it with --url" });
  }
}

/** The path of a function in the manage API, and below it. */
export function functionPath(name: string, below = ""): string {
  return `/v1/functions/${encodeURIComponent(name)}${below}`;
}
