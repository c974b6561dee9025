import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { customWorker } from "../../runtime-images/custom/worker-command.ts";
import type { WorkerCommand } from "../../runtime-images/protocol/worker.ts";
import { WorkerProcess } from "../../runtime-images/supervisor/worker-process.ts";
import { sleep, until } from "../helpers/berth.ts";
import { directoryOf } from "../helpers/bundled.ts";
import { PYTHON } from "../helpers/python.ts";

const PARKED = 200;
const HEADERS = { "x-berth-function": "f1", "x-berth-revision": "r1" };

const dist = resolve("runtime-images/node/dist");
const LANGUAGES: [string, WorkerCommand | null, string, string][] = [
  ["node", { command: [process.execPath, join(dist, "worker.cjs")], env: {} }, "index.mjs", "throw new Error('boom at load');"],
  ["python", PYTHON, "app.py", "raise RuntimeError('boom at load')"],
  ["custom", customWorker(process.execPath, dist), "bootstrap", `#!${process.execPath}\nconsole.log('boom at load'); process.exit(3);`],
];

/** The status and the body of a request that waits for the code to load; null: its connection broke before its response was complete. */
function answerOf(port: number): Promise<string | null> {
  return new Promise((done) => {
    const req = request({ host: "127.0.0.1", port, headers: HEADERS }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      res.on("end", () => done(`${res.statusCode} ${text}`));
      res.on("error", () => done(null));
    });
    req.on("error", () => done(null));
    req.end();
  });
}

test.for(LANGUAGES)(
  "a worker of %s has answered what waits when it reports that the code does not load: it may be killed then",
  async ([, command, entry, code], { skip }) => {
    if (!command) return skip("there is no Python here");
    const dir = directoryOf({});
    const file = join(dir, "code", entry);
    mkdirSync(join(dir, "code"));
    writeFileSync(file, code, { mode: 0o755 });
    let port = 0;
    let failed = "";
    const worker = new WorkerProcess({ uid: randomUUID(), id: 1, dir, host: "127.0.0.1", command, rehearse: false, onOutput: () => {} }, (message) => {
      if (message.type === "ready") port = message.port;
      if (message.type !== "loadFailed") return;
      failed = message.message;
      worker.kill();
    });
    await until(() => port > 0, "it listens");
    const waiting = Array.from({ length: PARKED }, () => answerOf(port));
    await sleep(300);
    const settings = { entry, handler: null, signature: null, concurrency: 10, timeoutMs: 5000 };
    worker.send({ type: "load", functionUid: "f1", functionName: "f", revision: "r1", file, settings, env: {}, key: null });
    const answers = await Promise.all(waiting);
    await until(() => failed !== "", "the failure is reported");
    expect(failed).toContain("boom at load");
    expect(answers.filter((answer) => !answer?.startsWith("502 ") || !answer.includes("boom at load"))).toEqual([]);
  },
);
