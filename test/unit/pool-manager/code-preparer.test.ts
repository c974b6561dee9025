import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { CodePreparer } from "../../../pool-manager/code-preparer.ts";
import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { CodeImages } from "../../../pool-manager/images/code-images.ts";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { OciLayout } from "../../../pool-manager/images/layout.ts";
import type { PreparedCode } from "../../../pool-manager/platform/platform.ts";
import { memoryStore } from "../../fakes/memory-store.ts";

const FUNCTIONS = 60;
const LAYERS = 20;

let functions: FunctionRegistry;
/** Digests in the order in which their blobs were read, how many were read at a time, and what the platform got. */
let reads: string[];
let most: number;
let prepared: PreparedCode[];
let errors: object[];
let preparation: CodePreparer;

beforeEach(async () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const uploads = new CodeImages(new OciLayout(dir), "runtime-images/entry/entry-linux-amd64");
  await uploads.open();
  functions = new FunctionRegistry(
    memoryStore(),
    async () => "image",
    () => {},
  );
  for (let i = 0; i < FUNCTIONS; i++) {
    const tar = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(`export default ${i % LAYERS}`) }]);
    await functions.deploy(`f${i}`, () => parseManifest({}, ["node"]), (await uploads.upload(tar)).ref);
  }
  // Another start: nothing is cached.
  const layout = new OciLayout(dir);
  const images = new CodeImages(layout, "runtime-images/entry/entry-linux-amd64");
  [reads, most, prepared, errors] = [[], 0, [], []];
  let open = 0;
  const get = layout.get.bind(layout);
  layout.get = async (digest) => {
    reads.push(digest);
    most = Math.max(most, ++open);
    return get(digest).finally(() => {
      open -= 1;
    });
  };
  const platform = { prepareCode: (codes: readonly PreparedCode[]) => void prepared.push(...codes) };
  preparation = new CodePreparer({ functions, layer: (digest) => images.layer(digest), platform, log: { error: (told: object) => void errors.push(told) } });
});

test("a start reads each layer once, few at a time, however many functions share it", async () => {
  await preparation.all(functions.list());
  expect(reads.length).toBe(LAYERS);
  expect(most).toBeLessThanOrEqual(8);
  expect(prepared.map(({ functionUid }) => functionUid).sort()).toEqual(
    functions
      .list()
      .map(({ uid }) => uid)
      .sort(),
  );
});

test("a layer that cannot be read is reported, and the others are prepared", async () => {
  const [broken] = functions.list();
  await functions.deploy("f0", () => parseManifest({}, ["node"]), { layer: `sha256:${"0".repeat(64)}`, entry: "index.mjs" });
  await preparation.all(functions.list());
  expect(errors).toEqual([expect.objectContaining({ function: broken?.name })]);
  expect(prepared.length).toBe(FUNCTIONS - 1);
});

test("a function that has changed or ended meanwhile is not prepared in its former state", async () => {
  const all = functions.list();
  const running = preparation.all(all);
  await functions.remove("f1");
  await running;
  expect(prepared.map(({ functionUid }) => functionUid)).not.toContain(all.find(({ name }) => name === "f1")?.uid);
  prepared = [];
  preparation.close();
  await preparation.all(functions.list());
  expect(prepared).toEqual([]);
});
