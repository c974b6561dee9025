import { functionPath, type ManageClient } from "../../cli/manage-client.ts";

/** How long a pool has to refill before starts are measured. */
const REFILL_MS = 60_000;

interface Pool {
  size: number;
  instances: Record<string, number>;
}

/** New functions with the code, settings and environment of a deployed one, for as long as they are measured. */
export class Copies {
  readonly names: readonly string[];
  readonly #api: ManageClient;
  readonly #runtime: string;

  private constructor(api: ManageClient, runtime: string, names: readonly string[]) {
    this.#api = api;
    this.#runtime = runtime;
    this.names = names;
  }

  /** Deploys them; if one cannot be deployed, none remains. */
  static async deploy(api: ManageClient, name: string, count: number): Promise<Copies> {
    const path = functionPath(name);
    const original = await api.get<Record<string, unknown>>(path);
    const { items } = await api.get<{ items: { active: boolean; code: string }[] }>(`${path}/revisions`);
    const code = items.find((revision) => revision.active)?.code;
    const { runtime, handler, signature, env, timeout, loadTimeout, concurrency } = original;
    const manifest = { runtime, env, timeout, loadTimeout, concurrency, code, ...(handler ? { handler } : {}), ...(signature ? { signature } : {}) };
    const names: string[] = [];
    const copies = new Copies(api, String(runtime), names);
    try {
      for (let i = 0; i < count; i++) {
        const copy = `bench-${Date.now().toString(36)}-${i}`;
        await api.call("PUT", `/v1/functions/${copy}`, manifest);
        names.push(copy);
      }
    } catch (error) {
      await copies.remove();
      throw error;
    }
    return copies;
  }

  /** Waits until the pool has its size again; a pool that stays short is measured as it is. */
  async poolIsFull(): Promise<void> {
    for (const deadline = performance.now() + REFILL_MS; performance.now() < deadline; ) {
      const { size, instances } = await this.#api.get<Pool>(`/v1/pools/${this.#runtime}`);
      if ((instances.prewarmed ?? 0) >= size) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Deletes all of them; rejects with the first error after all were tried. */
  async remove(): Promise<void> {
    const results = await Promise.allSettled(this.names.map((name) => this.#api.call("DELETE", `/v1/functions/${name}`)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}
