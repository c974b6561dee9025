import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { type FileOps, realFiles } from "../../../../pool-manager/async/atomic-file.ts";
import { OciLayout } from "../../../../pool-manager/images/layout.ts";

test("a stored blob survives a loss of power: its directory is synced after the rename, and so is that of the index", async () => {
  const steps: string[] = [];
  const ops: FileOps = {
    ...realFiles,
    rename: async (from, to) => {
      steps.push(`rename to ${basename(to).slice(0, 10)}`);
      await realFiles.rename(from, to);
    },
    syncDir: async (path) => {
      steps.push(`sync ${basename(path)}`);
      await realFiles.syncDir(path);
    },
  };
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const layout = new OciLayout(dir, ops);
  await layout.open();
  const digest = await layout.put(Buffer.from("blob"));
  expect(steps).toEqual(["rename to index.json", `sync ${basename(dir)}`, `rename to ${digest.slice(7, 17)}`, "sync sha256"]);
});
