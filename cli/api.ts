import { CliError, EXIT } from "./errors.ts";

const TIMEOUT_MS = 60_000;

interface ApiErrorBody {
  error?: { code?: string; message?: string; fix?: string };
}

/** The manage API as the commands use it. Every failure is a `CliError`. */
export class Api {
  readonly url: string;

  constructor(url: string) {
    if (!/^https?:\/\/[^/]+/.test(url)) {
      throw new CliError("URL_INVALID", `${JSON.stringify(url)} is not a URL`, "give --url (or BERTH_URL) as http://HOST:PORT", EXIT.usage);
    }
    this.url = url.replace(/\/$/, "");
  }

  async get<T>(path: string): Promise<T> {
    return (await this.call("GET", path)) as T;
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const binary = body instanceof Uint8Array;
    const type = binary ? "application/x-tar" : "application/json";
    const response = await this.open(method, path, {
      headers: body === undefined ? {} : { "content-type": type },
      body: body === undefined ? null : binary ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.status === 204 ? null : response.json();
  }

  /** The raw response, for streams; errors are already thrown. */
  async open(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(this.url + path, { ...init, method }).catch((error: Error) => {
      const cause = (error.cause as Error | undefined)?.message || error.message;
      throw new CliError("UNREACHABLE", `no berth answers at ${this.url}: ${cause}`, "start one with npm start, or name it with --url", EXIT.unreachable);
    });
    if (response.ok) return response;
    const { error = {} } = (await response.json().catch(() => ({}))) as ApiErrorBody;
    const exit = response.status === 404 ? EXIT.notFound : EXIT.refused;
    throw new CliError(error.code ?? `HTTP_${response.status}`, error.message ?? response.statusText, error.fix ?? "look at the log of berth", exit);
  }

  /** Calls `onData` for each server-sent event until the stream ends. */
  async events(path: string, onData: (data: unknown) => void): Promise<void> {
    const response = await this.open("GET", path);
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) if (block.startsWith("data: ")) onData(JSON.parse(block.slice(6)));
    }
  }
}
