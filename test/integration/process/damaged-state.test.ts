import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ECHO, TestBerth } from "../../helpers/berth.ts";

const whole = mkdtempSync(join(tmpdir(), "berth-test-"));
let secretsFile = "";
let berth: TestBerth | null = null;

beforeAll(async () => {
  const first = await TestBerth.start({ stateDir: whole, poolSize: 1 });
  await first.deploy("plain", ECHO);
  await first.deploy("secretive", ECHO, { secrets: { TOKEN: "hunter2" } });
  await first.api.call("PATCH", "/v1/pools/node", { size: 2 });
  await first.close();
  secretsFile = readdirSync(join(whole, "secrets"))[0] as string;
});
afterEach(async () => {
  await berth?.close();
  berth = null;
});

/** Berth on a copy of the state in which something has been damaged. */
async function restarted(damage: (stateDir: string) => void): Promise<{ berth: TestBerth; stateDir: string; aside(): string[] }> {
  const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
  cpSync(whole, stateDir, { recursive: true });
  damage(stateDir);
  berth = await TestBerth.start({ stateDir, poolSize: 1 });
  return { berth, stateDir, aside: () => readdirSync(join(stateDir, "set-aside")).map((name) => name.replace(/\.[^.]+$/, "")) };
}

const names = async (on: TestBerth) => (await on.api.get<{ items: { name: string }[] }>("/v1/functions")).items.map(({ name }) => name);

/** "a: &a [*x, *x, …]" nine times over: nine aliases of the one before each. */
const BOMB = Array.from(
  { length: 9 },
  (_, i) =>
    `a${i}: &a${i} [${Array(9)
      .fill(i === 0 ? "x" : `*a${i - 1}`)
      .join(", ")}]`,
).join("\n");

/** Writes a function's file as an older Berth or a person does. */
function inYaml(path: string): void {
  writeFileSync(path, stringify(JSON.parse(readFileSync(path, "utf8"))));
}

/** Another content in the style that the file has. */
const edited = (edit: (record: Record<string, unknown>) => object) => (path: string) => {
  const text = readFileSync(path, "utf8");
  const record = edit(parse(text) as Record<string, unknown>);
  writeFileSync(path, text.startsWith("{") ? JSON.stringify(record) : stringify(record));
};

describe.each<[string, (path: string) => void]>([
  ["as it is written", () => {}],
  ["in YAML's own style", inYaml],
])("a function's file %s", (_style, restyle) => {
  test("is read", async () => {
    const { berth: on } = await restarted((dir) => restyle(join(dir, "functions/secretive.yaml")));
    expect(await names(on)).toEqual(["plain", "secretive"]);
    expect(((await (await on.invoke("secretive")).json()) as { env: object }).env).toEqual({ TOKEN: "hunter2" });
  });

  test.each<[string, (path: string) => void]>([
    ["cut", (path) => truncateSync(path, 300)],
    ["empty", (path) => truncateSync(path, 0)],
    ["binary", (path) => writeFileSync(path, Buffer.from([0, 255, 254, 1, 2, 3, 0x89]))],
    ["a bomb of aliases", (path) => writeFileSync(path, BOMB)],
    ["deeper than a parser goes", (path) => writeFileSync(path, "[".repeat(100_000))],
    ["deeper than what is written", edited((record) => ({ ...record, deep: Array.from({ length: 40 }).reduce<unknown>((inner) => [inner], 1) }))],
    ["of another program", (path) => writeFileSync(path, "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n")],
    ["without the revision that is active", edited((record) => ({ ...record, active: "r9" }))],
    ["of fields of another type", edited((record) => ({ ...record, scaling: { ...(record.scaling as object), maxScale: "many" } }))],
  ])("that is %s is set aside and named, and the others serve", async (_what, damage) => {
    const { berth: on, aside } = await restarted((dir) => {
      restyle(join(dir, "functions/plain.yaml"));
      damage(join(dir, "functions/plain.yaml"));
    });
    expect(await names(on)).toEqual(["secretive"]);
    expect(((await (await on.invoke("secretive")).json()) as { env: object }).env).toEqual({ TOKEN: "hunter2" });
    expect(aside()).toEqual(["functions-plain.yaml"]);
    // The name is free, and is used again after a further start.
    await on.deploy("plain", ECHO);
    expect((await on.invoke("plain")).status).toBe(200);
  });
});

test("directories and files of nobody are set aside, wherever a start reads", async () => {
  const { berth: on, aside } = await restarted((dir) => {
    for (const path of [
      "functions/sub",
      "functions/x.tmp",
      "secrets/sub",
      "pools/sub",
      "images/blobs/sha256/x.tmp",
      "images/blobs/sha256/other",
      "code/x.tmp",
    ]) {
      mkdirSync(join(dir, path), { recursive: true });
    }
    writeFileSync(join(dir, "functions/copy.yaml"), readFileSync(join(dir, "functions/plain.yaml")));
    writeFileSync(join(dir, "pools/node.yaml"), "name: node\nsize: 9\nmax: 2\n");
  });
  expect(await names(on)).toEqual(["plain", "secretive"]);
  expect((await on.invoke("plain")).status).toBe(200);
  expect(await on.api.get("/v1/pools/node")).toMatchObject({ size: 1 });
  expect(aside().sort()).toEqual(["functions-copy.yaml", "functions-sub", "pools-node.yaml", "pools-sub", "secrets-sub"]);
});

test("secrets of a function that was set aside are kept beside it", async () => {
  const { aside } = await restarted((dir) => truncateSync(join(dir, "functions/secretive.yaml"), 40));
  expect(aside().sort()).toEqual(["functions-secretive.yaml", `secrets-${secretsFile}`]);
});

test.each<[string, (path: string) => void]>([
  ["empty", (path) => truncateSync(path, 0)],
  ["cut", (path) => truncateSync(path, 8)],
  ["of another shape", (path) => writeFileSync(path, '{"r1": "hunter2"}')],
  ["of another revision", (path) => writeFileSync(path, '{"r7": {"TOKEN": "hunter2"}}')],
])("a function whose secrets are %s says so, and runs with none of them missing", async (_what, damage) => {
  const { berth: on } = await restarted((dir) => damage(join(dir, "secrets", secretsFile)));
  const lost = expect.stringContaining("the values of its secrets are lost (TOKEN)");
  expect(await on.api.get("/v1/functions/secretive")).toMatchObject({ problems: [lost] });
  const response = await on.invoke("secretive");
  expect([response.status, await response.json()]).toEqual([502, { error: expect.objectContaining({ code: "FUNCTION_LOAD_FAILED", message: lost }) }]);
  expect((await on.invoke("plain")).status).toBe(200);
  await on.api.call("PATCH", "/v1/functions/secretive", { secrets: { TOKEN: "again" } });
  expect(((await (await on.invoke("secretive")).json()) as { env: object }).env).toEqual({ TOKEN: "again" });
});
