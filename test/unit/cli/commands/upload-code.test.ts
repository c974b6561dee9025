import { chmodSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { uploadCode } from "../../../../cli/commands/deploy/code.ts";
import { ManageClient } from "../../../../cli/manage-client.ts";
import { directoryOf } from "../../../helpers/bundled.ts";

const STATUS = "GET /v1/status";
const LIMITS = "GET /v1/code";
const UPLOAD = "POST /v1/code";

let server: Server;
let asked: string[];
/** Answers a request instead of the usual answer, once. */
let otherwise: ((res: ServerResponse) => void) | null;
let python: string | null;
let api: ManageClient;

beforeEach(async () => {
  [asked, otherwise, python] = [[], null, "3.12"];
  server = createServer((req, res) => {
    const request = `${req.method} ${req.url}`;
    asked.push(request);
    req.resume();
    const special = request === UPLOAD ? otherwise : null;
    if (special) {
      otherwise = null;
      return special(res);
    }
    const answers: Record<string, object> = {
      [STATUS]: { platform: "local", runtimes: ["node"], python },
      [LIMITS]: { maxBytes: 1_000_000 },
      [UPLOAD]: { digest: `sha256:${"0".repeat(64)}` },
      "GET /v1/logs": {},
    };
    res.end(JSON.stringify(answers[request]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api = new ManageClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => server.close());

const rest = { entry: undefined, include: [], external: [], hasConcurrency: false, command: undefined, say: () => {} };

/** Uploads a command, as `berth dev` does at each save; returns the requests. */
async function save(): Promise<string[]> {
  const dir = directoryOf({ bootstrap: "#!/bin/sh\n" });
  chmodSync(join(dir, "bootstrap"), 0o755);
  asked = [];
  await uploadCode(api, { ...rest, from: dir, runtime: "custom" });
  return asked;
}

test("asks once for what does not change while a berth runs", async () => {
  expect(await save()).toEqual([STATUS, LIMITS, UPLOAD]);
  expect(await save()).toEqual([UPLOAD]);
  expect(await save()).toEqual([UPLOAD]);
});

test.each<[string, (res: ServerResponse) => void]>([
  ["a refusal", (res) => res.writeHead(413).end(JSON.stringify({ error: { code: "CODE_TOO_LARGE", message: "", fix: "" } }))],
  ["a lost connection", (res) => res.destroy()],
  ["an answer that breaks off", (res) => res.writeHead(200, { "content-length": 100 }).write("{", () => res.destroy())],
])("asks again after %s", async (_what, answer) => {
  await save();
  otherwise = answer;
  await expect(save()).rejects.toThrow();
  expect(await save()).toEqual([STATUS, LIMITS, UPLOAD]);
});

test("asks again after a stream has ended: another berth may have taken its place", async () => {
  await save();
  await expect(api.events("/v1/logs", () => {})).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  expect(await save()).toEqual([STATUS, LIMITS, UPLOAD]);
});

test("asks again after it has refused Python: it may have been installed since", async () => {
  python = null;
  const dir = directoryOf({ "main.py": "" });
  const wanted = { ...rest, from: dir, runtime: "python" };
  await expect(uploadCode(api, wanted)).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
  await expect(uploadCode(api, wanted)).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
  expect(asked).toEqual([STATUS, STATUS]);
});
