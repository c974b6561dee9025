import { execFile } from "node:child_process";

const MAX_OUTPUT_BYTES = 16 * 2 ** 20;

/** A program that could not be started, failed, or took too long. */
export interface ProgramError extends NodeJS.ErrnoException {
  /** Its complaint, without space around it. */
  stderr: string;
  /** It took too long. */
  killed?: boolean;
}

/** Runs a program and returns its output. Rejects with a `ProgramError`. */
export function run(program: string, args: string[], cwd: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, timeout: timeoutMs, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error) reject(Object.assign(error, { stderr: stderr.trim() }));
      else resolve(stdout);
    });
  });
}
