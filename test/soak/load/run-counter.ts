import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { BoundedSet } from "../../../pool-manager/collections/bounded.ts";
import type { History } from "../history.ts";

interface Run {
  run: string;
  id: string;
  function: string;
  tag: string;
  instance: string;
}

/** Names of runs that may be told a second time, because the first answer did not arrive. */
const KNOWN = 10_000;

/** Receives reports of functions that they run: the answer of an invocation is no proof of it. */
export class RunCounter {
  readonly #server: Server;
  readonly #history: History;
  readonly #known = new BoundedSet<string>(KNOWN);
  #url = "";

  constructor(history: History) {
    this.#history = history;
    this.#server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        this.#count(JSON.parse(body) as Run);
        response.end();
      });
    });
  }

  /** `host`: an address that functions reach. */
  async listen(host: string): Promise<void> {
    this.#server.listen(0, host);
    await once(this.#server, "listening");
    const { port } = this.#server.address() as { port: number };
    this.#url = `http://${host}:${port}`;
  }

  get url(): string {
    return this.#url;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #count({ run, id, function: name, tag, instance }: Run): void {
    if (this.#known.has(run)) return;
    this.#known.add(run);
    this.#history.add({ type: "run", id, function: name, tag, instance });
  }
}
