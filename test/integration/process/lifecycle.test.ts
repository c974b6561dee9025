import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../../helpers/berth.ts";

const started: ChildProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    }
  }
});

/** A pool of one instance: more would cost processor time that these tests do not need. */
const SMALL = ["--pool-size", "1"];

interface Up {
  child: ChildProcess;
  invoke: string;
  manage: string;
  readyMs: number;
}

function launch(stateDir: string, ...args: string[]): { child: ChildProcess; output: () => string } {
  const ports = args.includes("--router-port") ? args : ["--router-port", "0", "--api-port", "0", ...args];
  const child = spawn(process.execPath, ["dist/berth.js", "up", "--state-dir", stateDir, ...ports]);
  started.push(child);
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  return { child, output: () => output };
}

async function up(stateDir: string, ...args: string[]): Promise<Up> {
  const from = performance.now();
  const { child, output } = launch(stateDir, ...args);
  await until(() => /^berth ready:.*$/m.test(output()), `ready, instead of ${output()}`, 15_000);
  const match = /^berth ready: invoke (\S+) manage (\S+)$/m.exec(output());
  return { child, invoke: match?.[1] ?? "", manage: match?.[2] ?? "", readyMs: performance.now() - from };
}

/** Processes whose environment or command line names the directory: instances and all that they started. */
function processesOf(stateDir: string): number[] {
  const found: number[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const text = readFileSync(`/proc/${pid}/environ`, "latin1") + readFileSync(`/proc/${pid}/cmdline`, "latin1");
      const { state } = { state: /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] };
      if (text.includes(stateDir) && Number(pid) !== process.pid && state !== "Z") found.push(Number(pid));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
const temporary = () => mkdtempSync(join(tmpdir(), "berth-test-"));

describe("berth up", () => {
  test("is ready with hello deployed, and Ctrl-C ends it without a process left", async () => {
    const stateDir = temporary();
    const { child, invoke, manage, readyMs } = await up(stateDir);
    // 3 s is the promise on an idle machine; tests share this one.
    expect(readyMs).toBeLessThan(6000);
    expect(await (await fetch(`${invoke}/function/hello`, { method: "POST", body: '{"name":"Ada"}' })).json()).toEqual({ message: "Hello, Ada!" });
    expect((await fetch(`${manage}/readyz`)).status).toBe(200);
    expect(processesOf(stateDir).length).toBeGreaterThan(2);
    child.kill("SIGINT");
    expect(await ended(child)).toBe(0);
    expect(processesOf(stateDir)).toEqual([]);
  });

  test("Ctrl-C lets a running invocation finish", async () => {
    const { child, invoke, manage } = await up(temporary(), ...SMALL);
    const late =
      "async (c) => { c.enqueue(Buffer.from('begun, ')); await new Promise((r) => setTimeout(r, 1000)); c.enqueue(Buffer.from('done')); c.close(); }";
    const source = `export default { fetch: () => new Response(new ReadableStream({ start: ${late} })) };`;
    const { TestBerth } = await import("../../helpers/berth.ts");
    await new TestBerth({ invokeUrl: invoke, manageUrl: manage, close: async () => {} }).deploy("slow", source);
    const running = await fetch(`${invoke}/function/slow`);
    child.kill("SIGINT");
    expect(await running.text()).toBe("begun, done");
    expect(await ended(child)).toBe(0);
  });

  test("SIGKILL of the manager: every process of every instance is gone within 5 s, a spinning one too", async () => {
    const stateDir = temporary();
    const { child, invoke, manage } = await up(stateDir);
    const { TestBerth } = await import("../../helpers/berth.ts");
    const source = `import { spawn } from "node:child_process"; export default { fetch() { spawn("sleep", ["60"], { stdio: "ignore" }); setTimeout(() => { for (;;); }, 20); return new Response("spinning"); } };`;
    await new TestBerth({ invokeUrl: invoke, manageUrl: manage, close: async () => {} }).deploy("spin", source);
    expect(await (await fetch(`${invoke}/function/spin`)).text()).toBe("spinning");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = processesOf(stateDir).filter((pid) => pid !== child.pid);
    expect(before.length).toBeGreaterThan(3);
    child.kill("SIGKILL");
    await until(() => processesOf(stateDir).length === 0, "no process is left", 5000);
  });

  test("a restart, after SIGKILL too, finds functions, secrets and pool sizes again", async () => {
    const stateDir = temporary();
    const first = await up(stateDir, ...SMALL);
    const { TestBerth } = await import("../../helpers/berth.ts");
    const berth = new TestBerth({ invokeUrl: first.invoke, manageUrl: first.manage, close: async () => {} });
    await berth.deploy("kept", "export default { fetch: (r, env) => Response.json(env) };", { env: { A: "1" }, secrets: { S: "hidden" } });
    await berth.api.call("PATCH", "/v1/pools/node", { size: 2, max: 7 });
    first.child.kill("SIGKILL");
    await ended(first.child);
    const second = await up(stateDir);
    expect(await (await fetch(`${second.invoke}/function/kept`)).json()).toEqual({ A: "1", S: "hidden" });
    expect(await (await fetch(`${second.manage}/v1/pools/node`)).json()).toMatchObject({ size: 2, max: 7 });
  });

  test("a second start on the same state directory is refused by name", async () => {
    const stateDir = temporary();
    await up(stateDir, ...SMALL);
    const second = launch(stateDir, ...SMALL);
    expect(await ended(second.child)).toBe(1);
    expect(second.output()).toContain(`the state directory ${stateDir} is in use by another berth`);
  });

  test("a port in use and an unusable state directory are said plainly", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    for (const args of [
      ["--router-port", String(port), "--api-port", "0"],
      ["--router-port", "0", "--api-port", String(port)],
    ]) {
      const busy = launch(temporary(), ...args);
      expect(await ended(busy.child)).toBe(1);
      expect(busy.output()).toMatch(new RegExp(`^error PORT_IN_USE: port ${port} is in use`, "m"));
    }
    server.close();
    const file = join(temporary(), "file");
    writeFileSync(file, "");
    const refused = launch(join(file, "state"));
    expect(await ended(refused.child)).toBe(1);
    expect(refused.output()).toContain(`the state directory ${join(file, "state")} is not writable`);
  });

  test.each(["functions", "pools", "images", "code"])("a file in the place of the state directory's %s is named", async (name) => {
    const stateDir = temporary();
    writeFileSync(join(stateDir, name), "");
    const refused = launch(stateDir);
    expect(await ended(refused.child)).toBe(1);
    expect(refused.output()).toMatch(new RegExp(`^error STATE_DIR: .*${join(stateDir, name)}`, "m"));
  });
});
