import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packLayer } from "../../../../pool-manager/images/layer.ts";
import { CodeDir } from "../../../../pool-manager/platform/code-dir.ts";

const layer = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode("export default 1;") }], "function/");
const DIGEST = "sha256:abc";

/** Opens the directory in a boot of the machine; returns the path of the unpacked module. */
function moduleAt(dir: string, bootId: string): string {
  const code = new CodeDir(dir, { node: "", program: "" }, bootId);
  code.open();
  return join(code.ensure(DIGEST, layer), "index.mjs");
}

test.each([
  ["the same boot", "boot-1", "\0\0\0"],
  ["another boot, which may have lost what was not synced", "boot-2", "export default 1;"],
])("unpacked code after a start in %s", (_what, bootId, content) => {
  const dir = join(mkdtempSync(join(tmpdir(), "berth-test-")), "code");
  writeFileSync(moduleAt(dir, "boot-1"), "\0\0\0");
  expect(readFileSync(moduleAt(dir, bootId), "utf8")).toBe(content);
});

test("a collection keeps the mark of the boot, and removes unused code", () => {
  const dir = join(mkdtempSync(join(tmpdir(), "berth-test-")), "code");
  const path = moduleAt(dir, "boot-1");
  const gone: string[] = [];
  const collector = { mayGo: () => "test", gone: (_kind: string, name: string) => void gone.push(name) };
  new CodeDir(dir, { node: "", program: "" }, "boot-1").retain(new Set(), collector as never);
  expect(gone).toEqual(["sha256-abc"]);
  expect(moduleAt(dir, "boot-1")).toBe(path);
});
