import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "vitest";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { conformance } from "../../runtime-images/protocol/conformance/conformance.ts";
import type { RuntimeSubject, SampleName } from "../../runtime-images/protocol/conformance/subject.ts";

const SAMPLES: Record<SampleName, string> = {
  hello: "export default { fetch: () => new Response('hello') };",
  slow: "export default { async fetch() { await new Promise((r) => setTimeout(r, 300)); return new Response('slow'); } };",
  throws: "throw new Error('boom at load');",
  hangs: "await new Promise(() => setTimeout(() => {}, 1e6)); export default {};",
  exits: "export default { fetch() { process.exit(3); } };",
  spins: "export default { fetch() { for (const from = Date.now(); Date.now() - from < 10_000; ); return new Response('spun'); } };",
  headers: "export default (req, res) => res.end(JSON.stringify([req.headers, req.rawHeaders, req.headersDistinct]));",
  env: "export default { fetch: (request, env) => new Response(process.env.GREETING) };",
};

let child: ChildProcess | null = null;
afterEach(() => {
  if (child?.pid && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  child = null;
});

async function start(): Promise<RuntimeSubject> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const controlPath = join(dir, "control");
  const env = { PATH: process.env.PATH ?? "", BERTH_INSTANCE_UID: "i1", BERTH_INSTANCE_DIR: dir, BERTH_CONTROL: controlPath };
  child = spawn(process.execPath, ["runtime-images/node/dist/supervisor.cjs"], { env, detached: true, stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((resolve) => child?.stdout?.once("data", resolve));
  const code = {} as RuntimeSubject["code"];
  for (const [name, text] of Object.entries(SAMPLES) as [SampleName, string][]) {
    code[name] = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(text) }], "function/");
  }
  return { control: controlPath, host: "127.0.0.1", code, entry: "index.mjs" };
}

describe("runtime node conforms to the protocol", () => {
  for (const check of conformance) test(check.name, async () => check.run(await start()));
});
