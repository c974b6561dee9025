import type { FunctionLines } from "../pool-manager/config.ts";
import { FunctionLog, openStdout } from "../telemetry/function-log.ts";
import { Losses } from "../telemetry/losses.ts";

export interface TelemetryOptions {
  functionLog?: boolean;
}

/** What this process tells others of itself and its functions, beside its answers. */
export class Telemetry {
  readonly #losses = new Losses();
  readonly #functionLog: FunctionLog | null;

  constructor({ functionLog }: TelemetryOptions) {
    this.#functionLog = functionLog ? new FunctionLog(openStdout(), () => this.#losses.add("function_log", 1, "queue")) : null;
  }

  get functionLines(): FunctionLines {
    return { registry: this.#losses.registry, line: (fn, entry) => this.#functionLog?.write(fn, entry) };
  }

  async close(): Promise<void> {
    await this.#functionLog?.close();
  }
}
