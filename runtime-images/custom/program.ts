/** A user's `command`: words, or a text as in a terminal. */
export type CommandLine = string | readonly string[];

/** The name of the file that is the command of a function that names none. */
export const BOOTSTRAP = "bootstrap";

const SHELL = "/bin/sh";

/** A text of words that no shell would read otherwise; the port is put in without one. */
const PLAIN = /^[\w@%+=:,./\s-]*$/;

const PORT = /\$(?:PORT\b|\{PORT\})/g;

/**
 * The words of a command: a program and its arguments. A text of plain words needs no shell, which images may lack.
 * `$PORT` stands for the port in either form.
 */
export function wordsOf(command: CommandLine, port: string): string[] {
  const put = (word: string) => word.replaceAll(PORT, port);
  if (typeof command !== "string") return command.map(put);
  return PLAIN.test(command.replaceAll(PORT, "")) ? command.trim().split(/\s+/).map(put) : [SHELL, "-c", command];
}

/** The path of the command's own program below the function's directory; null: it is not there, or a shell finds it. */
export function ownProgram(command: CommandLine): string | null {
  const [program = ""] = wordsOf(command, "0");
  if (program === SHELL || program.startsWith("/") || !program.includes("/")) return null;
  return program.replace(/^(\.\/+)+/, "");
}
