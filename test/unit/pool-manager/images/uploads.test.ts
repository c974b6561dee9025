import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { entryOf, packLayer, readUpload } from "../../../../pool-manager/images/layer.ts";
import { OciLayout } from "../../../../pool-manager/images/layout.ts";
import { ENTRY_NAME, unpackLayer } from "../../../../runtime-images/protocol/layer.ts";
import { Dice } from "../../../helpers/dice.ts";

const data = new TextEncoder().encode("x");
const upload = async (...paths: string[]) => readUpload(await packLayer(["index.mjs", ...paths].map((path) => ({ path, data }))));

test.each([
  ["a file below a file", ["a", "a/b"]],
  ["a file below a file, far below", ["a", "a/b/c/d"]],
  ["a name that no header of a layer holds", ["n".repeat(150)]],
  ["a directory that none holds", [`${"d".repeat(160)}/x`]],
  ["a name of too many bytes", ["é".repeat(90)]],
  ["a path of five megabytes", [`${"p/".repeat(2_500_000)}x`]],
  ["a name of five megabytes", ["n".repeat(5_000_000)]],
  ["a name of five megabytes outside the upload", [`../${"n".repeat(5_000_000)}`]],
])("%s is refused at the upload, in few words", async (_what, paths) => {
  const error = (await upload(...paths).catch((thrown: Error) => thrown)) as Error & { code?: string };
  expect(error).toMatchObject({ code: "CODE_INVALID" });
  expect(error.message.length).toBeLessThan(500);
});

test("an instance unpacks exactly the files that were accepted, whatever their names", async () => {
  const dice = new Dice(20261129);
  const part = () => dice.pick(["a", "é", "n", " ", "💥", "-"]).repeat(1 + dice.below(dice.pick([3, 40, 110]))) + dice.pick(["", ".js", " "]);
  let accepted = 0;
  for (let i = 0; i < 300; i++) {
    const path = Array.from({ length: 1 + dice.below(4) }, part).join("/");
    const files = await upload(path).catch(() => null);
    if (!files) continue;
    accepted += 1;
    const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
    unpackLayer(Buffer.from(await packLayer(files, "function/")), dir);
    expect([path, existsSync(join(dir, "function", path))]).toEqual([path, true]);
  }
  expect(accepted).toBeGreaterThan(50);
});

test("a blob that cannot be stored says so, and leaves nothing behind; what an earlier process left goes at the start", async () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const layout = new OciLayout(dir);
  await layout.open();
  const blobs = join(dir, "blobs/sha256");
  writeFileSync(join(blobs, "left.1-1.tmp"), "");
  writeFileSync(join(dir, "index.json.1-1.tmp"), "");
  await layout.open();
  expect([readdirSync(blobs), readdirSync(dir).sort()]).toEqual([[], ["blobs", "index.json", "oci-layout"]]);
  // A blob cannot be stored if a directory has its name; the effect is that of a full disk.
  const full = Object.assign(new OciLayout(dir), { path: () => join(blobs, "none", "blob") });
  await expect(full.put(data)).rejects.toMatchObject({ code: "STORE_FAILED", status: 500 });
  expect(readdirSync(blobs)).toEqual([]);
});

test("an upload may name its entry, which must be in it; otherwise it is the first of the known names", () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path, data }));
  const naming = (name: string) => ({ path: ENTRY_NAME, data: new TextEncoder().encode(`${name}\n`) });
  expect(entryOf([...files("src/server.py", "index.js", "main.py"), naming("src/server.py")])).toBe("src/server.py");
  expect(entryOf(files("app.py", "main.py"))).toBe("main.py");
  expect(entryOf(files("main.py", "index.js"))).toBe("index.js");
  expect(() => entryOf([...files("main.py"), naming("other.py")])).toThrow('.berth-entry names "other.py", which is not in the upload');
  expect(() => entryOf(files("server.py"))).toThrow(expect.objectContaining({ code: "CODE_INVALID" }));
});
