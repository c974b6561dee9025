import { ManageClient } from "../../cli/manage-client.ts";
import { type Berth, startTemporary, type UpOptions } from "../../cli/up.ts";
import type { InstanceRow } from "../../pool-manager/api/schemas/schemas.ts";
import { packLayer } from "../../pool-manager/images/layer.ts";

/** The integration suite runs on pods, not processes. */
export const ON_CLUSTER = process.env.BERTH_TEST_PLATFORM === "kruise";
/** Creating a pod takes ten times as long as a process, and longer beside other work on the machine. */
export const PATIENCE = ON_CLUSTER ? 10 : 1;

/** The address at which functions reach a server of the test. */
export const TEST_HOST = ON_CLUSTER ? (process.env.BERTH_TEST_HOST ?? "10.99.0.1") : "127.0.0.1";

/** A running Berth with the calls that tests make. */
export class TestBerth {
  readonly berth: Berth;
  readonly api: ManageClient;

  /** `key` with the role `manage`, where one is wanted. */
  constructor(berth: Berth, key: string | null = null) {
    this.berth = berth;
    this.api = new ManageClient(berth.manageUrl, key);
  }

  /** On processes of this machine, or in the cluster tier on pods in a namespace of its own. */
  static async start(options: Partial<UpOptions> = {}): Promise<TestBerth> {
    if (!ON_CLUSTER || options.platform) return new TestBerth(await startTemporary(options));
    const { clusterOptions, deleteNamespace, freshNamespace } = await import("../cluster/subject/subject.ts");
    const namespace = freshNamespace();
    const berth = await startTemporary({ ...clusterOptions(namespace), ...options });
    const close = async () => {
      await berth.close();
      await deleteNamespace(namespace);
    };
    return new TestBerth({ ...berth, close });
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
    return this.api.upload(tar);
  }

  invoke(name: string, init: RequestInit & { duplex?: "half" } = {}, path = ""): Promise<Response> {
    return fetch(`${this.berth.invokeUrl}/function/${name}${path}`, init);
  }

  async instances(): Promise<InstanceRow[]> {
    return (await this.api.get<{ items: InstanceRow[] }>("/v1/instances")).items;
  }

  /** Waits until the pool has this many prewarmed instances. */
  prewarmed(count: number): Promise<void> {
    return until(async () => (await this.instances()).filter((i) => i.state === "prewarmed").length >= count, `${count} prewarmed`, 10_000 + 1000 * count);
  }
}

export async function until(check: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms * PATIENCE;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A function that tells what it was called with. */
export const ECHO = `import { hostname } from "node:os";
export default {
  async fetch(request, env, ctx) {
    const body = await request.text();
    return Response.json({ method: request.method, url: request.url, body, env, callId: ctx.callId,
      headers: Object.fromEntries(request.headers), id: process.pid + "@" + hostname() });
  },
};`;
