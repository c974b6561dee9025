/** A hint for handlers whose signature was guessed wrong: the parameters of `(...args) => …` or of an export by name do not show it. */
const HINT = "; a handler that is called as (req, res) and answers by itself is deployed with --signature node";

/** Messages of a wrong guess: V8's for a call of a method of node:http or Express, or of the third argument, that does not exist; and fetch's for a handler that returns nothing. */
const SIGN =
  /(?:\b(?:end|json|on|pipe|redirect|send|sendFile|sendStatus|setHeader|status|write|writeHead)|\bargs\[2\]|\bnext) is not a function$|^fetch\(\) returned undefined/;

/** Adds the hint to an error that suggests that a handler for `(req, res)` was called with another signature; returns any other error unchanged. */
export function withOtherSignature(error: unknown): unknown {
  if (!(error instanceof TypeError) || !SIGN.test(error.message)) return error;
  const { message, stack = message } = error;
  const hinted = message + HINT;
  error.message = hinted;
  error.stack = stack.replace(message, () => hinted);
  return error;
}
