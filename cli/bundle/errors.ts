import type { BuildFailure, Message } from "esbuild";
import { CliError } from "../errors.ts";
import { packageName } from "./modules/packages.ts";

/** Converts esbuild's first error to the command's, with a fix for its kind. */
export function bundleError(error: unknown, from: string): CliError {
  if (error instanceof CliError) return error;
  const [first] = (error as BuildFailure).errors ?? [];
  if (!first) throw error;
  const failed = new CliError("BUNDLE_FAILED", `${from} could not be bundled: ${describeMessage(first)}`, fixOf(first.text));
  return Object.assign(failed, { cause: error });
}

/** Whether a bundle in CommonJS failed because a module awaits at its top level. */
export function isTopLevelAwait(error: unknown): boolean {
  return (error as Partial<BuildFailure>).errors?.some(({ text }) => text.startsWith("Top-level await")) === true;
}

/** `file:line:column: text`. */
export function describeMessage({ location, text }: Message): string {
  return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}

function fixOf(text: string): string {
  const [, unresolved] = /^Could not resolve "([^"]+)"/.exec(text) ?? [];
  if (unresolved?.startsWith(".") || unresolved?.startsWith("/")) return "correct the path, or add the file";
  if (unresolved) {
    const name = packageName(unresolved) ?? unresolved;
    return `npm install ${name} beside the source, or leave it out with --external ${name} if the function works without it`;
  }
  if (text.startsWith("No loader")) {
    return 'read the file when the function runs, and deploy it with --include GLOB or include in berth.yaml; or import it with { type: "text" } or { type: "bytes" }';
  }
  return "correct the source";
}
