import { setTimeout as pause } from "node:timers/promises";
import type { CliError } from "../../../cli/errors.ts";
import { ManageClient } from "../../../cli/manage-client.ts";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ABSENT, type History } from "../history.ts";
import { broken, source } from "./code.ts";

/** The fields of a function in the manage API that a soak reads. */
export interface View {
  revision: string;
  split: Record<string, number>;
  rolling: { from: string; to: string; state: string } | null;
}

/** A change whose request may have been lost is tried again until it is done. */
const DONE_MS = 90_000;
const RETRY_MS = 500;
/** A change that only a read has shown, without an answer, is as uncertain as an answer that waited in vain for the routers. */
const UNCONFIRMED_MS = 1000;

/** A function of a soak: every change of it, and what it may be since, is written into the history. */
export class SoakFunction {
  readonly name: string;
  readonly #history: History;
  readonly #manageUrl: () => string;
  readonly #counterUrl: string;
  /** Tag by the digest of the code. */
  readonly #tags = new Map<string, string>();
  exists = false;
  #count = 0;

  constructor(name: string, history: History, manageUrl: () => string, counterUrl: string) {
    this.name = name;
    this.#history = history;
    this.#manageUrl = manageUrl;
    this.#counterUrl = counterUrl;
  }

  get #path(): string {
    return `/v1/functions/${this.name}`;
  }

  /** The API of the present leader. */
  get #api(): ManageClient {
    return new ManageClient(this.#manageUrl());
  }

  /** Deploys code that was never deployed before. `manifest`: other fields of the deployment. */
  async deploy(manifest: object): Promise<void> {
    const tag = `${this.name}-${++this.#count}`;
    await this.#deploy(tag, source(this.name, tag, this.#counterUrl), manifest);
  }

  /** Deploys code that does not load; no invocation may get to it, so its manifest has to have a rollout. */
  async deployBroken(manifest: object): Promise<void> {
    const tag = `${this.name}-${++this.#count}-broken`;
    await this.#deploy(tag, broken(tag), manifest);
  }

  async delete(): Promise<void> {
    const gone = async () => {
      await this.#api.call("DELETE", this.#path).catch((error: CliError) => {
        // A former try has done it.
        if (error.code !== "FUNCTION_NOT_FOUND") throw error;
      });
      return null;
    };
    await this.#change([ABSENT], gone);
    this.exists = false;
  }

  /** Changes settings, and not the code. */
  async patch(settings: object): Promise<void> {
    await this.#change([], async () => (await this.#api.call("PATCH", this.#path, settings)) as View);
  }

  /** Any of its revisions may be the active one afterwards. */
  async rollback(): Promise<void> {
    const back = async () => {
      const view = await this.#api.call("POST", `${this.#path}/rollback`, {}).catch((error: CliError) => {
        if (error.code === "NO_OLDER_REVISION") return this.#api.get(this.#path);
        throw error;
      });
      return view as View;
    };
    await this.#change([...this.#tags.values()], back);
  }

  async traffic(change: object): Promise<void> {
    await this.#change([...this.#tags.values()], async () => (await this.#api.call("PUT", `${this.#path}/traffic`, change)) as View);
  }

  /** Steers the rollout that runs; one that is over meanwhile stays as it is. */
  async steer(verb: "pause" | "resume" | "undo"): Promise<void> {
    const steered = async () => {
      await this.#api.call("POST", `${this.#path}/rollout/${verb}`).catch((error: CliError) => {
        if (error.code !== "ROLLOUT_OVER") throw error;
      });
      return this.#api.get<View>(this.#path);
    };
    await this.#change([], steered);
  }

  /** The function as the leader shows it, as soon as there is a leader. */
  async view(): Promise<View> {
    for (const deadline = Date.now() + DONE_MS; ; await pause(RETRY_MS)) {
      try {
        return await this.#api.get<View>(this.#path);
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** Waits until no rollout runs, and writes down what the function is since. Resolves with whether it ended within that time. */
  async rolledOut(withinMs: number): Promise<boolean> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline; await pause(RETRY_MS)) {
      const view = await this.view();
      if (isRolling(view)) continue;
      await this.#change([], async () => view, UNCONFIRMED_MS);
      return true;
    }
    return false;
  }

  async #deploy(tag: string, code: string, manifest: object): Promise<void> {
    const tar = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(code) }]);
    const put = async () => {
      const digest = await this.#api.upload(tar);
      this.#tags.set(digest, tag);
      return (await this.#api.call("PUT", this.#path, { ...manifest, code: digest })) as View;
    };
    await this.#change([tag], put);
    this.exists = true;
  }

  /** Makes a change until it is answered; each try is written down, and what the function may be after it. Null: it is gone. */
  async #change(may: string[], make: () => Promise<View | null>, leastMs = 0): Promise<void> {
    for (const deadline = Date.now() + DONE_MS; ; await pause(RETRY_MS)) {
      const change = this.#history.id("change");
      const from = Date.now();
      this.#history.add({ type: "change", change, function: this.name, may });
      try {
        const view = await make();
        const [at, tookMs] = [Date.now(), Math.max(leastMs, Date.now() - from)];
        const now = view ? await this.#now(view) : [ABSENT];
        if (!view) this.#history.add({ type: "revisions", function: this.name, tags: {}, images: [] });
        this.#history.add({ at, type: "changed", change, function: this.name, now, tookMs });
        return;
      } catch (error) {
        const { code, message } = error as CliError;
        this.#history.add({ type: "changed", change, function: this.name, now: null, tookMs: Date.now() - from, error: `${code ?? ""} ${message}` });
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** Tags of what a view says that invocations get. */
  async #now(view: View): Promise<string[]> {
    const { items } = await this.#api.get<{ items: { id: string; code: string; image: string }[] }>(`${this.#path}/revisions`);
    const tags = Object.fromEntries(items.map(({ id, code }) => [id, this.#tags.get(code) ?? code]));
    this.#history.add({ type: "revisions", function: this.name, tags, images: items.map(({ image }) => image) });
    const { revision, split, rolling } = view;
    const served = [revision, ...Object.keys(split), ...(rolling && isRolling(view) ? [rolling.from, rolling.to] : [])];
    return served.map((id) => tags[id] ?? id);
  }
}

export function isRolling({ rolling }: View): boolean {
  return rolling?.state === "rolling" || rolling?.state === "paused";
}
