/** Handlers whose parameters do not tell, such as `(...args) => …` of a wrapper or an export by name, may be taken for another signature. */
const HINT = "; a handler that is called as (req, res) and answers by itself is deployed with --signature node";

/** What V8 says where code calls a method of node:http's or Express's objects, or the third argument, on something else; and what fetch says of a handler that returns nothing. */
const SIGN =
  /(?:\b(?:end|json|on|pipe|redirect|send|sendFile|sendStatus|setHeader|status|write|writeHead)|\bargs\[2\]|\bnext) is not a function$|^fetch\(\) returned undefined/;

/** An error that a handler for `(req, res)` throws where it was called otherwise tells how to deploy it; any other error stays as it is. */
export function withOtherSignature(error: unknown): unknown {
  if (!(error instanceof TypeError) || !SIGN.test(error.message)) return error;
  const { message, stack = message } = error;
  const hinted = message + HINT;
  error.message = hinted;
  error.stack = stack.replace(message, () => hinted);
  return error;
}
