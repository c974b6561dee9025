import type { BuildFailure } from "esbuild";
import pc from "picocolors";
import { CliError } from "../errors.ts";
import { say } from "../output.ts";

const MAX_NAMED_FILES = 3;

/** How long the parts of a reload took before its load, in milliseconds. */
export interface ReloadParts {
  noticeMs: number;
  /** Bundling and uploading. */
  bundleMs: number;
  deployMs: number;
}

interface Deployed {
  revision: string;
  /** Whether what is deployed differs from before. */
  isNew: boolean;
  files: readonly string[];
  ms: number;
  parts: ReloadParts;
}

/** Prints what happens to a function: its output to standard output, everything else to standard error. */
export class Report {
  readonly #prefix: string;
  #isBroken = false;
  #deployments = 0;

  /** `name`: precedes each line; empty if there is only one function. */
  constructor(name: string) {
    this.#prefix = name && pc.dim(`${name} | `);
  }

  output(line: string, isError: boolean): void {
    process.stdout.write(`${this.#prefix}${isError ? pc.red(line) : line}\n`);
  }

  note(text: string): void {
    this.#say(pc.dim(text));
  }

  deployed({ revision, isNew, files, ms, parts }: Deployed): void {
    this.#deployments += 1;
    if (this.#deployments > 1 && (isNew || this.#isBroken)) {
      const named = files.slice(0, MAX_NAMED_FILES).join(", ") || "changes";
      const more = files.length > MAX_NAMED_FILES ? ` and ${files.length - MAX_NAMED_FILES} more` : "";
      this.#say(`${pc.green("reloaded")} ${revision} in ${Math.round(ms)} ms ${pc.dim(`(${partsOf(ms, parts)})`)}: ${named}${more}`);
    }
    this.#isBroken = false;
  }

  /** Prints an error; those of a bundle with the lines that they are in. */
  async failed(error: unknown): Promise<void> {
    this.#isBroken = true;
    const { code, message, fix } =
      error instanceof CliError ? error : { code: "INTERNAL", message: String((error as Error)?.stack ?? error), fix: "report the error" };
    const { errors } = ((error as Error).cause ?? {}) as Partial<BuildFailure>;
    const shown = errors ? (await import("esbuild")).formatMessages(errors, { kind: "error", color: pc.isColorSupported }) : [];
    this.#say(`${pc.red(`error ${code}`)}: ${message}`);
    for (const text of await shown) this.#say(text.trimEnd());
    this.#say(`  fix: ${fix}${this.#deployments > 0 ? "; until then the last revision that loaded serves" : ""}`);
  }

  #say(text: string): void {
    say(this.#prefix && text.includes("\n") ? text.replace(/^/gm, this.#prefix) : this.#prefix + text);
  }
}

/** The parts of a reload; the load takes the rest of its time. */
function partsOf(ms: number, { noticeMs, bundleMs, deployMs }: ReloadParts): string {
  const parts = Object.entries({ notice: noticeMs, bundle: bundleMs, deploy: deployMs, load: ms - noticeMs - bundleMs - deployMs });
  return parts.map(([part, took]) => `${part} ${Math.round(took)}`).join(", ");
}
