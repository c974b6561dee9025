import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LocalPlatform } from "../../../../pool-manager/platform/local/local.ts";

test("an instance that can have no directory, as on a full disk, is an error of the request and ends nothing", async () => {
  const dir = join(mkdtempSync(join(tmpdir(), "berth-test-")), "i");
  const platform = new LocalPlatform({
    dir,
    codeDir: `${dir}-code`,
    node: process.execPath,
    compiler: "",
    runtimes: { node: { supervisor: "none.cjs", worker: null } },
    now: () => 0,
  });
  await platform.start();
  rmSync(dir, { recursive: true });
  writeFileSync(dir, "");
  const scaling = platform.scalePool({ name: "node", runtime: "node", max: 5 }, { seen: new Set(), more: 2 });
  await expect(scaling).rejects.toMatchObject({ code: "REFUSED", message: expect.stringContaining("an instance cannot have its directory") });
  expect([...platform.observe().instances]).toEqual([]);
});
