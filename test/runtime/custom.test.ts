import { resolve } from "node:path";
import { afterEach, describe, test } from "vitest";
import { customWorker } from "../../runtime-images/custom/worker-command.ts";
import { conformance } from "../../runtime-images/protocol/conformance/conformance.ts";
import { eventsAsPayload } from "../../runtime-images/protocol/conformance/events-as-payload.ts";
import { endSubjects, type Language, startSubject } from "../helpers/subjects/runtime-subject.ts";

const worker = customWorker(process.execPath, resolve("runtime-images/node/dist"));

const server = (handler: string) => `import { createServer } from "node:http"; createServer(${handler}).listen(process.env.PORT);`;

const SERVER: Language = {
  entry: "server.mjs",
  worker,
  settings: { command: [process.execPath, "server.mjs"] },
  samples: {
    hello: server("(req, res) => res.end('hello')"),
    slow: server("(req, res) => setTimeout(() => res.end('slow'), 300)"),
    throws: "throw new Error('boom at load');",
    hangs: "setTimeout(() => {}, 1e6);",
    exits: server("(req, res) => (req.url === '/ok' ? res.end('ok') : process.exit(3))"),
    spins: server("(req, res) => { for (const from = Date.now(); Date.now() - from < 10_000; ); res.end('spun'); }"),
    headers: server("(req, res) => res.end(JSON.stringify([req.headers, req.rawHeaders]))"),
    env: server("(req, res) => res.end(process.env.GREETING)"),
    // A command that serves HTTP gets no events.
    event: "",
  },
  eventSignature: "server",
};

/** A bootstrap that polls for `parallel` invocations at once, and answers each with the result of a handler. */
const bootstrap = (handler: string) => `#!${process.execPath}
const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/";
const handler = ${handler};
async function poll() {
  for (;;) {
    const next = await fetch(api + "next");
    const id = next.headers.get("lambda-runtime-aws-request-id");
    const body = await handler(await next.json());
    await fetch(api + id + "/response", { method: "POST", body: JSON.stringify({ statusCode: 200, body }) });
  }
}
for (let i = 0; i < 10; i++) poll();
`;

/** A bootstrap that answers an event with a result that has fields of an HTTP response, or reports an error. */
const events = `#!${process.execPath}
const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/";
(async () => {
 for (;;) {
  const next = await fetch(api + "next");
  const id = next.headers.get("lambda-runtime-aws-request-id");
  const event = await next.json();
  const [kind, body] = event.fail ? ["error", { errorType: "TypeError", errorMessage: event.fail }] : ["response", { statusCode: 418, event }];
  await fetch(api + id + "/" + kind, { method: "POST", body: JSON.stringify(body) });
 }
})();
`;

const BOOTSTRAP: Language = {
  entry: "bootstrap",
  worker,
  samples: {
    hello: bootstrap("() => 'hello'"),
    slow: bootstrap("() => new Promise((resolve) => setTimeout(resolve, 300, 'slow'))"),
    throws: `#!${process.execPath}\nthrow new Error('boom at load');`,
    hangs: `#!${process.execPath}\nsetTimeout(() => {}, 1e6);`,
    exits: bootstrap("({ rawPath }) => (rawPath === '/ok' ? 'ok' : process.exit(3))"),
    spins: bootstrap("() => { for (const from = Date.now(); Date.now() - from < 10_000; ); return 'spun'; }"),
    headers: bootstrap("(event) => JSON.stringify(event)"),
    env: bootstrap("() => process.env.GREETING"),
    event: events,
  },
  eventSignature: "lambda",
};

afterEach(endSubjects);

describe.each([
  ["that serves HTTP", SERVER, conformance.filter((check) => !eventsAsPayload.includes(check))],
  ["that speaks the Lambda Runtime API", BOOTSTRAP, conformance],
])("a command %s conforms to the protocol", (_, language, checks) => {
  for (const check of checks) test(check.name, async () => check.run(await startSubject(language)));
});
