import { setTimeout as sleep } from "node:timers/promises";
import type { DeployAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { loaded } from "../commands/deploy/loaded.ts";
import { CliError } from "../errors.ts";
import { functionPath, type ManageClient } from "../manage-client.ts";
import { type Deployment, deployNow, variableFiles } from "./deployment.ts";
import type { Inspector } from "./inspect.ts";
import type { ReloadParts, Report } from "./report.ts";
import { Watcher } from "./watcher.ts";

/** How long a revision may take to load, at most; its own loadTimeout ends it earlier. */
const LOAD_MS = 330_000;
/** How long a load holds up the deployment of further changes: one that hangs may be what they correct. */
const PATIENCE_MS = 1000;

interface Changes {
  files: string[];
  /** When the first of them was noticed. */
  since: number;
}

interface LogEntry {
  stream: string;
  message: string;
}

/** A function whose code is watched, and deployed at each change. */
export class DevFunction {
  readonly #api: ManageClient;
  readonly #deployment: Deployment;
  readonly #report: Report;
  readonly #inspector: Inspector | null;
  readonly #watcher: Watcher;
  #changes: Changes | null = null;
  /** Called at each change. */
  #interrupt: () => void = () => {};
  #running: Promise<void> | null = null;
  #following = false;
  #closed = false;

  constructor(api: ManageClient, deployment: Deployment, report: Report, inspector: Inspector | null) {
    this.#api = api;
    this.#deployment = deployment;
    this.#report = report;
    this.#inspector = inspector;
    this.#watcher = new Watcher(deployment.base, { changed: (files, since) => this.#changed(files, since), failed: (text) => report.note(text) });
  }

  /** Deploys it for the first time. Resolves also if that fails, which has been reported: the next change may correct it. */
  async start(): Promise<void> {
    this.#watcher.add(variableFiles(this.#deployment));
    this.#changed([], performance.now());
    await this.#running;
  }

  close(): void {
    this.#closed = true;
    this.#watcher.close();
  }

  /** One deployment runs at a time; changes that come meanwhile are deployed together after it. */
  #changed(files: string[], since: number): void {
    const before = this.#changes;
    this.#changes = { files: [...new Set([...(before?.files ?? []), ...files])], since: before?.since ?? since };
    this.#interrupt();
    this.#running ??= this.#deployAll().finally(() => {
      this.#running = null;
    });
  }

  async #deployAll(): Promise<void> {
    for (let changes = this.#changes; changes && !this.#closed; changes = this.#changes) {
      this.#changes = null;
      await this.#deploy(changes);
    }
  }

  async #deploy(changes: Changes): Promise<void> {
    const onInputs = (inputs: readonly string[]) => this.#watcher.add(inputs);
    const interrupted = new Promise<void>((resolve) => (this.#interrupt = resolve));
    try {
      const noticeMs = performance.now() - changes.since;
      const { answer, ...parts } = await deployNow(this.#api, this.#deployment, { onInputs, say: (text) => this.#report.note(text) });
      const loading = this.#loaded(answer, changes, { noticeMs, ...parts });
      if (await Promise.race([loading.then(() => false), sleep(PATIENCE_MS, true, { ref: false })])) {
        this.#report.note(`${answer.latest} is still loading`);
        await Promise.race([loading, interrupted]);
      }
    } catch (error) {
      await this.#failed(error);
    }
    if (!this.#following) void this.#follow();
  }

  /** Resolves when invocations get the revision, or it is known that they will not. */
  async #loaded({ latest, newRevision }: DeployAnswer, { files, since }: Changes, parts: ReloadParts): Promise<void> {
    try {
      const { revision } = await loaded(this.#api, this.#deployment.name, latest, {
        waitMs: LOAD_MS,
        say: (text) => this.#report.note(text),
      });
      this.#report.deployed({ revision, isNew: newRevision, files, ms: performance.now() - since, parts });
    } catch (error) {
      // A later change has taken its place.
      if ((error as CliError).code !== "REVISION_SUPERSEDED") await this.#failed(error);
    }
  }

  async #failed(error: unknown): Promise<void> {
    // An error that the end of the session causes has no reader.
    if (!this.#closed) await this.#report.failed(error);
  }

  /** Prints the function's output. A function that could not be deployed yet has none. */
  async #follow(): Promise<void> {
    this.#following = true;
    try {
      await this.#api.events(functionPath(this.#deployment.name, "/logs?tail=100&follow=true"), (entry) => {
        const { stream, message } = entry as LogEntry;
        if (!this.#inspector?.reads(message)) this.#report.output(message, stream === "err");
      });
    } catch (error) {
      this.#following = false;
      const isLater = error instanceof CliError && error.code === "FUNCTION_NOT_FOUND";
      if (!this.#closed && !isLater) await this.#report.failed(error);
    }
  }
}
