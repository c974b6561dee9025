import { Api } from "../../cli/api.ts";
import { type Berth, startTemporary, type UpOptions } from "../../cli/up.ts";
import { packLayer } from "../../pool-manager/images/layer.ts";

/** A running Berth with the calls that tests make. */
export class TestBerth {
  readonly berth: Berth;
  readonly api: Api;

  constructor(berth: Berth) {
    this.berth = berth;
    this.api = new Api(berth.manageUrl);
  }

  static async start(options: Partial<UpOptions> = {}): Promise<TestBerth> {
    return new TestBerth(await startTemporary(options));
  }

  async close(): Promise<void> {
    await this.berth.close();
  }

  /** Deploys source text as index.mjs (or another name). */
  async deploy(name: string, source: string, manifest: object = {}, file = "index.mjs"): Promise<Record<string, unknown>> {
    const code = await this.upload(source, file);
    return (await this.api.call("PUT", `/v1/functions/${name}`, { ...manifest, code })) as Record<string, unknown>;
  }

  async upload(source: string, file = "index.mjs"): Promise<string> {
    const tar = await packLayer([{ path: file, data: new TextEncoder().encode(source) }]);
    return ((await this.api.call("POST", "/v1/code", tar)) as { digest: string }).digest;
  }

  invoke(name: string, init: RequestInit & { duplex?: "half" } = {}, path = ""): Promise<Response> {
    return fetch(`${this.berth.invokeUrl}/function/${name}${path}`, init);
  }

  async instances(): Promise<InstanceRow[]> {
    return (await this.api.get<{ items: InstanceRow[] }>("/v1/instances")).items;
  }

  /** Waits until the pool has this many prewarmed instances. */
  prewarmed(count: number): Promise<void> {
    return until(async () => (await this.instances()).filter((i) => i.state === "prewarmed").length >= count, `${count} prewarmed`);
  }
}

export interface InstanceRow {
  uid: string;
  state: string;
  function: string | null;
  revision: string | null;
  address: string | null;
  epoch: number;
  inFlight: number;
}

export async function until(check: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A function that tells what it was called with. */
export const ECHO = `export default {
  async fetch(request, env, ctx) {
    const body = await request.text();
    return Response.json({ method: request.method, url: request.url, body, env, callId: ctx.callId,
      headers: Object.fromEntries(request.headers), pid: process.pid });
  },
};`;
