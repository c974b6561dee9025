import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT } from "../../../cli/errors.ts";
import { TestBerth } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { runCommand } from "../../helpers/command.ts";

const MAX_CODE = 1024 * 1024;
let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, maxCode: MAX_CODE });
});
afterAll(() => berth.close());

const run = (...args: string[]) => runCommand(args, { BERTH_URL: berth.berth.manageUrl });

const SOURCE = `import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import tool from "tool";

const __dirname = path.dirname(fileURLToPath(import.meta.url));
interface Options { name: string }
export default {
  async fetch(request: Request) {
    if (request.url.endsWith("/throw")) throw new Error("in line ten");
    return Response.json([readFileSync(path.join(__dirname, "views/page.html"), "utf8"), readFileSync(path.join(__dirname, "data.csv"), "utf8"), tool]);
  },
};
`;

test("a deployment takes files and packages along that berth.yml and options name, and stacks name the source", async () => {
  const dir = directoryOf({
    "index.mts": SOURCE,
    "berth.yml": "timeout: 4s\ninclude: [views/**]\nexternal: tool\n",
    "views/page.html": "page",
    "data.csv": "a,b",
    "node_modules/tool/index.js": 'module.exports = [require("part"), __dirname.endsWith("/node_modules/tool")];',
    "node_modules/tool/package.json": '{"dependencies": {"part": "1"}}',
    "node_modules/part/index.js": 'module.exports = "part";',
  });
  const deployed = await run("deploy", "beside", "--from", join(dir, "index.mts"), "--include", "*.csv");
  expect([deployed.code, deployed.stderr]).toEqual([0, "deployed beside as r1\n"]);
  expect(await (await berth.invoke("beside")).json()).toEqual(["page", "a,b", ["part", true]]);
  expect(await berth.api.get("/v1/functions/beside")).toMatchObject({ timeout: "4s" });
  expect((await berth.invoke("beside", {}, "/throw")).status).toBe(500);
  const stack = /at Object\.fetch \(index\.mts:10:47\)/;
  await expect.poll(async () => (await run("logs", "beside")).stdout, { timeout: 5000 }).toMatch(stack);
  expect((await run("deploy", "beside", "--from", dir, "--include", "*.csv")).stderr).toContain("unchanged: r1");
});

test("what the bundler warns of is on stderr, and a native package is said to be deployed as it is", async () => {
  const dir = directoryOf({
    "index.js": 'const native = require("native"); if (typeof native === "strin") native(); module.exports = (req, res) => res.end(native);',
    "node_modules/native/index.js": "module.exports = 'native';",
    "node_modules/native/binding.gyp": "{}",
  });
  const { code, stderr } = await run("deploy", "warns", "--from", dir);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^warning: index\.js:1:\d+: The "typeof" operator/m);
  expect(stderr).toMatch(/^native is native: /m);
  expect(await (await berth.invoke("warns")).text()).toBe("native");
  expect((await run("--quiet", "deploy", "warns", "--from", dir)).stderr).toBe("");
});

test("code above the limit is refused before its upload, and so are --include and --external without code", async () => {
  const dir = directoryOf({ "index.mjs": "export default {};", "large.dat": randomBytes(20 * MAX_CODE) });
  const large = await run("deploy", "large", "--from", dir, "--include", "large.dat");
  expect([large.code, large.stderr]).toEqual([
    EXIT.refused,
    expect.stringMatching(/^error CODE_TOO_LARGE: the code has 20\d+ bytes, and at most 1048576 are accepted\n {2}fix: /),
  ]);
  const body = new Uint8Array(2 * MAX_CODE);
  const upload = await fetch(`${berth.berth.manageUrl}/v1/code`, { method: "POST", body, headers: { "content-type": "application/x-tar" } });
  expect([upload.status, await upload.json()]).toMatchObject([413, { error: { code: "CODE_TOO_LARGE", message: expect.stringContaining("1048576 bytes") } }]);
  expect(await run("deploy", "warns", "--include", "x")).toMatchObject({ code: EXIT.usage, stderr: expect.stringContaining("SOURCE_MISSING") });
});
