import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseManifest } from "../../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../../pool-manager/functions/registry.ts";
import type { Collector } from "../../../../pool-manager/functions/retention.ts";
import { CodeImages } from "../../../../pool-manager/images/code-images.ts";
import { packLayer } from "../../../../pool-manager/images/layer.ts";
import { OciLayout } from "../../../../pool-manager/images/layout.ts";
import { memoryStore } from "../../../fakes/memory-store.ts";
import { Dice } from "../../../helpers/dice.ts";

const registry = () =>
  new FunctionRegistry(
    memoryStore(),
    async (_name, revision) => `image-${revision}`,
    () => {},
  );
const deploy = (functions: FunctionRegistry, name: string, layer: string) =>
  functions.deploy(name, () => parseManifest({}, ["node"]), { layer, entry: "index.mjs" });

test("functions are listed in the order of their names, in whatever order they come and go", async () => {
  const functions = registry();
  const dice = new Dice(7);
  const expected = new Set<string>();
  for (let step = 0; step < 300; step++) {
    const name = `f${dice.below(60)}`;
    if (dice.chance(0.3) && expected.delete(name)) await functions.remove(name);
    else {
      expected.add(name);
      await deploy(functions, name, `layer-${step}`);
    }
    expect(functions.list().map((record) => record.name)).toEqual([...expected].sort());
    expect(functions.list().map((record) => record.active)).toEqual(functions.list().map(({ uid }) => functions.byUid(uid)?.active));
  }
});

test("code is known as long as any function has it", async () => {
  const functions = registry();
  await deploy(functions, "a", "shared");
  await deploy(functions, "b", "shared");
  await functions.remove("b");
  expect(functions.codeByDigest("shared")).toEqual({ layer: "shared", entry: "index.mjs" });
  await functions.remove("a");
  expect([functions.codeByDigest("shared"), functions.codeByDigest("never")]).toEqual([undefined, undefined]);
});

test("a collection reads each manifest once, however often it looks, and some at a time", async () => {
  const layout = new OciLayout(mkdtempSync(join(tmpdir(), "berth-test-")));
  const images = new CodeImages(layout, "runtime-images/entry/entry-linux-amd64");
  await images.open();
  const { ref } = await images.upload(await packLayer([{ path: "index.mjs", data: new TextEncoder().encode("export default {}") }]));
  const names = new Map<string, string>();
  for (let i = 0; i < 100; i++) names.set(await images.build(`f${i}`, "r1", `identity-${i}`, ref.layer), `f${i}:r1`);
  const reads: string[] = [];
  let open = 0;
  let most = 0;
  const get = layout.get.bind(layout);
  layout.get = (digest) => {
    reads.push(digest);
    most = Math.max(most, ++open);
    return get(digest).finally(() => {
      open -= 1;
    });
  };
  const collector: Collector = { mayGo: () => null, gone: () => {}, end: () => {} };
  for (let times = 0; times < 3; times++) await images.collect(names, new Set(), collector);
  expect(reads.sort()).toEqual([...names.keys()].sort());
  // Deployments wait for it, and each read holds a descriptor.
  expect([most > 1, most <= 32]).toEqual([true, true]);
});
