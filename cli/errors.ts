/** Exit codes, stable for scripts. `refused` and `notFound` are Berth's own answers; `functionFailed` is a function's status of 400 or more. */
export const EXIT = { error: 1, usage: 2, notFound: 3, unreachable: 4, refused: 5, functionFailed: 6 } as const;

/** An error that ends the command; printed on stderr with its code and fix. */
export class CliError extends Error {
  readonly code: string;
  readonly fix: string;
  readonly exit: number;

  constructor(code: string, message: string, fix: string, exit: number = EXIT.error) {
    super(message);
    this.code = code;
    this.fix = fix;
    this.exit = exit;
  }
}

/** Converts an error of listening on a port to a `CliError`; returns other errors unchanged. */
export function portError(error: unknown, flag: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return new CliError("PORT_IN_USE", `port ${port} is in use by another program`, `stop it, or choose another with ${flag} (0: any free one)`);
  if (code === "EACCES") return new CliError("PORT_FORBIDDEN", `port ${port} requires more privileges`, `choose one above 1023 with ${flag}`);
  return error;
}

export function report(error: unknown): number {
  if (error instanceof CliError) {
    process.stderr.write(`error ${error.code}: ${error.message}\n  fix: ${error.fix}\n`);
    return error.exit;
  }
  process.stderr.write(`error INTERNAL: ${error instanceof Error ? error.message : String(error)}\n  fix: rerun with --verbose, and report the error\n`);
  if (process.argv.includes("--verbose") || process.argv.includes("-v")) console.error(error);
  return EXIT.error;
}
