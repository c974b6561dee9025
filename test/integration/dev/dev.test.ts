import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PATIENCE, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { DevCommand } from "../../helpers/dev-command.ts";
import { freePort } from "../../helpers/free-port.ts";
import { PYTHON } from "../../helpers/python.ts";

const SAVES = 20;

let running: DevCommand | null = null;
afterEach(async () => {
  await running?.end();
  running = null;
});

async function serving(dir: string, ...args: string[]): Promise<{ dev: DevCommand; url: string }> {
  const dev = new DevCommand([dir, ...args]);
  running = dev;
  return { dev, url: await dev.url(basename(dir).toLowerCase()) };
}

const says = (text: string) => `import { punctuated } from "./text";\nexport default { fetch: () => new Response(punctuated(${JSON.stringify(text)})) };\n`;
const TEXT = 'export const punctuated = (text: string): string => text + "!";\n';
const textOf = async (url: string) => (await fetch(url)).text();
const answers = (url: string, text: string) => until(async () => (await textOf(url)) === text, `${url} answers ${text}`);

test("saves are served one after the other, and no invocation is lost meanwhile", { timeout: 120_000 }, async () => {
  const dir = directoryOf({ "index.ts": says("v0"), "text.ts": TEXT });
  const { url } = await serving(dir);
  const statuses = new Set<number>();
  let over = false;
  const crowd = [1, 2].map(async () => {
    while (!over) {
      const response = await fetch(url);
      await response.text();
      statuses.add(response.status);
    }
  });
  const times: number[] = [];
  for (let at = 1; at <= SAVES; at++) {
    const from = performance.now();
    writeFileSync(join(dir, "index.ts"), says(`v${at}`));
    await answers(url, `v${at}!`);
    times.push(performance.now() - from);
  }
  for (let at = 1; at <= 50; at++) writeFileSync(join(dir, "index.ts"), says(`quick ${at}`));
  await answers(url, "quick 50!");
  over = true;
  await Promise.all(crowd);
  expect([...statuses]).toEqual([200]);
  times.sort((a, b) => a - b);
  console.log(`reload, n=${times.length}: p50 ${Math.round(times[times.length >> 1] as number)} ms, max ${Math.round(times.at(-1) as number)} ms`);
});

test("a broken save is shown with its file and line, the last good one serves, and the next good one recovers", { timeout: 60_000 }, async () => {
  const dir = directoryOf({ "index.ts": says("good"), "text.ts": TEXT });
  const { dev, url } = await serving(dir);
  writeFileSync(join(dir, "text.ts"), "export const punctuated = (text: string) => {\n  return text +;\n};\n");
  await dev.says("text.ts:2:15");
  expect(dev.output).toContain("return text +;");
  expect(await textOf(url)).toBe("good!");
  writeFileSync(join(dir, "text.ts"), "const config = JSON.parse('{}');\nexport const port = config.server.port;\nexport const punctuated = String;\n");
  await dev.says("LOAD_FAILED");
  expect(dev.output).toContain("text.ts:2");
  expect(await textOf(url)).toBe("good!");
  writeFileSync(join(dir, "text.ts"), "export const punctuated = (text: string) => {\n  if (text) throw new Error('at once');\n  return text;\n};\n");
  await until(async () => (await fetch(url)).status === 500, "it throws");
  await dev.says("text.ts:2:19");
  writeFileSync(join(dir, "text.ts"), TEXT);
  await answers(url, "good!");
  rmSync(dir, { recursive: true });
  await dev.says("SOURCE_NOT_FOUND");
  mkdirSync(dir);
  writeFileSync(join(dir, "index.mjs"), "export default { fetch: () => new Response('back') };");
  await answers(url, "back");
});

test("a save whose load hangs does not hold up the one that corrects it", { timeout: 60_000 }, async () => {
  const dir = directoryOf({ "index.ts": says("good"), "text.ts": TEXT });
  const { dev, url } = await serving(dir);
  for (const text of ["first", "second"]) {
    writeFileSync(join(dir, "index.ts"), `await new Promise(() => {}); // ${text}\n${says("never")}`);
    await dev.says("is still loading");
    expect(await textOf(url)).not.toBe("never!");
    dev.output = "";
    writeFileSync(join(dir, "index.ts"), `for (;;); // ${text}\n${says("never")}`);
    await dev.says("is still loading");
    expect(await textOf(url)).not.toBe("never!");
    const from = performance.now();
    writeFileSync(join(dir, "index.ts"), says(text));
    await answers(url, `${text}!`);
    expect(performance.now() - from).toBeLessThan(5000 * PATIENCE);
    dev.output = "";
  }
  // The revisions that never loaded are no failures to report.
  expect(dev.output).not.toContain("error");
});

test("a second Ctrl-C ends it at once, and leaves nothing either", { timeout: 60_000 }, async () => {
  const temporary = directoryOf({});
  const dir = directoryOf({ "index.mjs": "export default { fetch() { console.log('invoked'); return new Promise(() => {}); } };" });
  const dev = new DevCommand([dir], { TMPDIR: temporary });
  running = dev;
  const url = await dev.url(basename(dir).toLowerCase());
  const pending = fetch(url).catch(() => null);
  await dev.says("invoked");
  expect(await dev.end(2)).toBe(1);
  await pending;
  expect(readdirSync(temporary)).toEqual([]);
});

test("variables come from .env, from files that are named and from options; output is shown; Ctrl-C leaves nothing", { timeout: 60_000 }, async () => {
  const temporary = directoryOf({});
  const code =
    "console.log('loading'); export default { fetch(request, env) { console.log('invoked'); return Response.json([env.A, env.B, env.C, env.NODE_ENV]); } };";
  const dir = directoryOf({ "index.mjs": code, ".env": "A=1\nB=1\nC=1\n", "more.env": "B=2\nC=2\n" });
  const dev = new DevCommand([dir, "--name", "named", "--env-file", join(dir, "more.env"), "-e", "C=3"], { TMPDIR: temporary });
  running = dev;
  const url = await dev.url("named");
  await answers(url, '["1","2","3","development"]');
  await dev.says("loading");
  await dev.says("invoked");
  writeFileSync(join(dir, ".env"), "A=9\n");
  await answers(url, '["9","2","3","development"]');
  expect(await dev.end()).toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
  await expect(fetch(url)).rejects.toThrow();
});

test("--inspect opens Node's inspector at one port for every revision, with the source that the user wrote", { timeout: 60_000 }, async () => {
  const dir = directoryOf({ "index.ts": says("one"), "text.ts": TEXT });
  const port = await freePort();
  const { url } = await serving(dir, "--inspect", String(port));
  for (const text of ["one", "two"]) {
    writeFileSync(join(dir, "index.ts"), says(text));
    await answers(url, `${text}!`);
    const { url: script, sources } = await inspected(port, text);
    expect(sources).toEqual([`file://${dir}/text.ts`, `file://${dir}/index.ts`]);
    expect(script).toContain("/index.mjs");
  }
});

interface Script {
  url: string;
  code: string;
  /** Those of its source map. */
  sources: string[];
}

/**
 * The function's script, as a debugger sees it that connects anew, as all do, when what it has asked for is not there any
 * more: the worker of the revision before may answer for the list of targets, and be replaced before the connection comes.
 */
async function inspected(port: number, text: string): Promise<Script> {
  let found: Script | undefined;
  await until(async () => {
    found = await scriptOf(port).catch(() => undefined);
    return found?.code.includes(`"${text}"`) ?? false;
  }, `the debugger's port shows ${text}`);
  return found as Script;
}

async function scriptOf(port: number): Promise<Script> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket((target as { webSocketDebuggerUrl: string }).webSocketDebuggerUrl);
  const ask = (id: number, method: string, params = {}) => socket.send(JSON.stringify({ id, method, params }));
  const found = new Promise<Script>((resolve, reject) => {
    let script = { url: "", sourceMapURL: "" };
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the worker closed the connection")));
    socket.on("open", () => ask(1, "Debugger.enable"));
    socket.on("message", (data) => {
      const { id, method, params, result } = JSON.parse(String(data));
      if (id === 2) resolve({ url: script.url, code: result.scriptSource, sources: sourcesOf(script.sourceMapURL) });
      if (method !== "Debugger.scriptParsed" || !params.sourceMapURL.startsWith("data:") || !params.url.includes("/index.")) return;
      script = params;
      ask(2, "Debugger.getScriptSource", { scriptId: params.scriptId });
    });
  });
  return found.finally(() => socket.close());
}

function sourcesOf(sourceMapUrl: string): string[] {
  return (JSON.parse(Buffer.from(sourceMapUrl.slice(sourceMapUrl.indexOf(",") + 1), "base64").toString()) as { sources: string[] }).sources;
}

test.skipIf(PYTHON === null)("Python reloads too, and a directory of functions serves all of them", { timeout: 60_000 }, async () => {
  const python = (text: string) => `def lambda_handler(event, context):\n    return {"statusCode": 200, "body": "${text}"}\n`;
  const dir = directoryOf({ "first/main.py": python("one"), "second/index.mjs": "export default { fetch: () => new Response('node') };" });
  const dev = new DevCommand([dir]);
  running = dev;
  const url = await dev.url("first");
  expect(await textOf(url)).toBe("one");
  expect(await textOf(url.replace("first", "second"))).toBe("node");
  writeFileSync(join(dir, "first/main.py"), python("two"));
  await answers(url, "two");
  writeFileSync(join(dir, "first/main.py"), "def lambda_handler(event, context:\n");
  await dev.says("main.py");
  expect(await textOf(url)).toBe("two");
});
