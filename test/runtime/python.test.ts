import { afterEach, describe, test } from "vitest";
import { conformance } from "../../runtime-images/protocol/conformance/conformance.ts";
import type { WorkerCommand } from "../../runtime-images/protocol/worker.ts";
import { PYTHON } from "../helpers/python.ts";
import { endSubjects, type Language, startSubject } from "../helpers/subjects/runtime-subject.ts";

const answer = (body: string) => `def app(environ, start_response):
    body = ${body}
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", str(len(body)))])
    return [body]
`;

/** A feature that a version of CPython warns of is gone in a later one. */
const STRICT = ["-W", "error::DeprecationWarning", "-W", "error::PendingDeprecationWarning"];

function strict({ command: [program = "", ...args], env }: WorkerCommand): WorkerCommand {
  return { command: [program, ...STRICT, ...args], env };
}

const LANGUAGE: Language = {
  entry: "app.py",
  worker: PYTHON && strict(PYTHON),
  eventSignature: "lambda",
  samples: {
    hello: answer('b"hello"'),
    slow: `import time\n${answer('(time.sleep(0.3), b"slow")[1]')}`,
    throws: 'raise RuntimeError("boom at load")',
    hangs: "import time\ntime.sleep(1000)",
    exits: `import sys\n${answer('b"ok" if environ["PATH_INFO"] == "/ok" else sys.exit(3)')}`,
    spins: `import time\nasync def app(scope, receive, send):\n    if scope["type"] == "http":\n        since = time.monotonic()\n        while time.monotonic() - since < 10: pass\n`,
    headers: `${answer('repr([environ["asgi.scope"]["headers"], {key: value for key, value in environ.items() if key.startswith("HTTP_")}]).lower().replace("_", "-").encode()')}`,
    event: 'def handler(event, context):\n    if "fail" in event: raise TypeError(event["fail"])\n    return {"statusCode": 418, "event": event}',
    env: `import os\n${answer('os.environ["GREETING"].encode()')}`,
  },
};

afterEach(endSubjects);

describe.skipIf(PYTHON === null)("runtime python conforms to the protocol", () => {
  for (const check of conformance) test(check.name, async () => check.run(await startSubject(LANGUAGE)));
});
