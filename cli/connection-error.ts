import { CliError, EXIT } from "./errors.ts";

/** Codes of a connection that the server ended. */
const LOST = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_ABORTED", "UND_ERR_BODY_TIMEOUT", "ERR_STREAM_PREMATURE_CLOSE"]);
/** Codes of requests that cannot be sent. */
const UNSENDABLE = /^(ERR_INVALID_|ERR_UNESCAPED_|ERR_HTTP_INVALID_|UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED)/;

/** Message, without a code, of fetch for ports that it never connects to. */
const BAD_PORT = "bad port";

/**
 * Why a request to `url` was not answered, by the code of the error or of its cause. `who`: the expected server; `fix`:
 * how to fix it if there is none.
 */
export function connectionError(error: unknown, { who, url, fix }: { who: string; url: string; fix: string }): CliError {
  if (error instanceof CliError) return error;
  const { code, message } = coded(error as Error);
  if ((error as Error).name === "TimeoutError") {
    return new CliError("CONNECTION_LOST", `${url} did not answer in time`, "check whether it was done, and retry", EXIT.unreachable);
  }
  if (LOST.has(code)) return new CliError("CONNECTION_LOST", `${url} ended before it answered`, "check whether it was done, and retry", EXIT.unreachable);
  if (code.startsWith("HPE_") || code === "UND_ERR_RESPONSE") {
    return new CliError("ANSWER_INVALID", `the answer from ${url} is not valid HTTP of ${who}: ${message}`, "correct the address", EXIT.error);
  }
  if (message === BAD_PORT) return new CliError("UNREACHABLE", `no ${who} answers at ${url}: fetch refuses ports of other protocols`, fix, EXIT.unreachable);
  if (code === "" || UNSENDABLE.test(code))
    return new CliError("REQUEST_INVALID", `the request cannot be sent: ${message}`, "correct the address, the method or the headers", EXIT.usage);
  return new CliError("UNREACHABLE", `no ${who} answers at ${url}: ${message}`, fix, EXIT.unreachable);
}

/** The first code in a chain of causes. An AggregateError of several addresses has a code without a message. */
function coded(error: Error): { code: string; message: string } {
  let message = error.message;
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    message = one.message || message;
    const { code } = one as NodeJS.ErrnoException;
    if (typeof code === "string") return { code, message: message || code };
  }
  return { code: "", message };
}
