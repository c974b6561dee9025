import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { DevCommand } from "../../helpers/dev-command.ts";
import { freePort } from "../../helpers/free-port.ts";
import { PYTHON } from "../../helpers/python.ts";
import { DapClient } from "../../helpers/requests/dap-client.ts";

let running: DevCommand | null = null;
let client: DapClient | null = null;
afterEach(async () => {
  client?.close();
  client = null;
  await running?.end();
  running = null;
});

const PYTHON_CODE = (text: string) => `def lambda_handler(event, context):
    text = "${text}"
    return {"statusCode": 200, "body": text}
`;
/** The line after `text` is set. */
const STOP_LINE = 3;

test.skipIf(PYTHON === null)(
  "--inspect with debugpy: a breakpoint in the user's file stops an invocation, which then goes on, for each revision",
  { timeout: 180_000 },
  async () => {
    const dir = directoryOf({ "main.py": PYTHON_CODE("one"), "requirements.txt": "debugpy==1.8.22\n" });
    const port = await freePort();
    running = new DevCommand([dir, "--inspect", String(port)]);
    const url = await running.url(basename(dir).toLowerCase());
    for (const text of ["one", "two"]) {
      writeFileSync(join(dir, "main.py"), PYTHON_CODE(text));
      await until(async () => (await (await fetch(url)).text()) === text, `the function answers ${text}`);
      client = await DapClient.connect(port);
      expect(await client.attach(join(dir, "main.py"), [STOP_LINE])).toEqual([true]);
      const answer = fetch(url).then((response) => response.text());
      const { reason, threadId } = await client.event("stopped");
      expect(reason).toBe("breakpoint");
      expect(await client.place(threadId as number)).toEqual({ path: join(dir, "main.py"), line: STOP_LINE });
      await client.ask("continue", { threadId });
      expect(await answer).toBe(text);
      client.close();
    }
  },
);

test("--open has the system's browser open the function's URL", { timeout: 90_000 }, async () => {
  const dir = directoryOf({ "index.mjs": "export default { fetch: () => new Response('ok') };" });
  const bin = directoryOf({ "xdg-open": `#!/bin/sh\nprintf '%s\\n' "$@" > "$(dirname "$0")/opened"\n` });
  chmodSync(join(bin, "xdg-open"), 0o755);
  running = new DevCommand([dir, "--open"], { PATH: `${bin}:${process.env.PATH}` });
  const url = await running.url(basename(dir).toLowerCase());
  const opened = join(bin, "opened");
  await until(() => existsSync(opened) && readFileSync(opened, "utf8") !== "", "a browser is opened");
  expect(readFileSync(opened, "utf8")).toBe(`${url}\n`);
});

test("--open names the URL if no browser can be opened", { timeout: 90_000 }, async () => {
  const dir = directoryOf({ "index.mjs": "export default { fetch: () => new Response('ok') };" });
  const bin = directoryOf({ "xdg-open": "#!/bin/sh\nexit 3\n" });
  chmodSync(join(bin, "xdg-open"), 0o755);
  running = new DevCommand([dir, "--open"], { PATH: `${bin}:${process.env.PATH}` });
  const url = await running.url(basename(dir).toLowerCase());
  await running.says(`no browser could be opened (xdg-open exited with code 3): open ${url}`);
});
