import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { CodeCollector, type CodeCollectorOptions } from "../../../pool-manager/code-collector.ts";
import type { Collector } from "../../../pool-manager/functions/retention.ts";
import { CodeImages, ENTRY_PROGRAM } from "../../../pool-manager/images/code-images.ts";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { OciLayout } from "../../../pool-manager/images/layout.ts";
import { digestOf, type ImageManifest } from "../../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../../pool-manager/images/registry.ts";
import { tagOf } from "../../../pool-manager/images/runtime-image.ts";
import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { CodeRegistry } from "../../../pool-manager/platform/kruise/code/code-registry.ts";
import { until } from "../../helpers/berth.ts";
import { MemoryRegistry } from "../../helpers/servers/memory-registry.ts";

/** Allows what is named, and writes down what was removed. */
class Allowing implements Collector {
  readonly allowed = new Set<string>();
  readonly asked: string[] = [];
  readonly removed: string[] = [];
  readonly ended: string[] = [];

  mayGo(_kind: string, id: string): string | null {
    this.asked.push(id);
    return this.allowed.has(id) ? "because" : null;
  }

  gone(kind: string, id: string, reason: string): void {
    this.removed.push(`${kind} ${id} ${reason}`);
  }

  end(ids: Iterable<string>): void {
    this.ended.push(...ids);
  }
}

const tar = (text: string, file = "index.mjs") => packLayer([{ path: file, data: new TextEncoder().encode(text) }]);
const nothing = new Set<string>();

let layout: OciLayout;
let images: CodeImages;
let collector: Allowing;
beforeEach(async () => {
  layout = new OciLayout(mkdtempSync(join(tmpdir(), "berth-test-")));
  images = new CodeImages(layout, resolve(ENTRY_PROGRAM));
  await images.open();
  collector = new Allowing();
});

async function built(text: string): Promise<{ image: string; layer: string }> {
  const { ref } = await images.upload(await tar(text));
  images.settle(ref.layer);
  return { image: await images.build("f", "r1", text, ref.layer), layer: ref.layer };
}

describe("the state directory", () => {
  test("keeps every unused blob until the collector allows its removal, and removes an image as a whole", async () => {
    const [a, b] = [await built("a"), await built("b")];
    await images.collect(new Map([a, b].map(({ image }) => [image, "f:r1"])), nothing, collector);
    const all = (await layout.list()).length;
    await images.collect(new Map([[a.image, "f:r1"]]), nothing, collector);
    expect([(await layout.list()).length, collector.removed]).toEqual([all, []]);
    collector.allowed.add(b.image);
    await images.collect(new Map([[a.image, "f:r1"]]), nothing, collector);
    // The entry layer is a's too.
    expect([(await layout.list()).length, collector.removed.length]).toEqual([all - 3, 3]);
    expect(collector.removed).toContain(`blob ${b.layer} because`);
  });

  test("keeps code that a declaration names, though it has no revision yet", async () => {
    const { layer } = await built("a");
    collector.allowed.add(layer);
    await images.collect(new Map(), new Set([layer]), collector);
    expect(layout.has(layer)).toBe(true);
    await images.collect(new Map(), nothing, collector);
    expect(layout.has(layer)).toBe(false);
  });
});

describe("code by its digest", () => {
  test("is found where it was uploaded, where it is kept, and in the registry", async () => {
    const { ref } = await images.upload(await tar("a", "index.cjs"));
    expect(await images.find(ref.layer)).toEqual({ layer: ref.layer, entry: "index.cjs" });
    const later = new CodeImages(layout, resolve(ENTRY_PROGRAM));
    expect(await later.find(ref.layer)).toEqual({ layer: ref.layer, entry: "index.cjs" });
    const bytes = await layout.get(ref.layer);
    await layout.remove(ref.layer);
    layout.fetchMissingFrom(async () => bytes);
    expect(await new CodeImages(layout, resolve(ENTRY_PROGRAM)).find(ref.layer)).toEqual({ layer: ref.layer, entry: "index.cjs" });
  });

  test("is unknown if no place has it, or if it is no code; a registry that does not answer proves neither", async () => {
    const missing = digestOf(Buffer.from("missing"));
    const code = (digest: string) => images.find(digest).then(String, (error: { code: string }) => error.code);
    expect([await code(missing), await code("../../etc/passwd"), await code(await layout.put(Buffer.from("{}")))]).toEqual(Array(3).fill("CODE_UNKNOWN"));
    layout.fetchMissingFrom(() => Promise.reject(Object.assign(new Error("502"), { status: 502 })));
    expect(await code(missing)).toBe("STORE_FAILED");
    layout.fetchMissingFrom(() => Promise.reject(Object.assign(new Error("none"), { status: 404 })));
    expect(await code(missing)).toBe("CODE_UNKNOWN");
  });
});

describe("the registry", () => {
  let server: MemoryRegistry;
  let registry: CodeRegistry;
  let troubles: (string | null)[];
  const kube = { namespace: "n", create: async () => ({}) } as unknown as KubeClient;
  beforeEach(async () => {
    server = await MemoryRegistry.start();
    const client = new RegistryClient({ registry: server.host, login: async () => null, insecure: true });
    registry = new CodeRegistry({
      kube,
      registry: client,
      repository: "berth/code-1",
      blob: (digest) => layout.get(digest),
      pullSecret: null,
      onTrouble: (message) => troubles.push(message),
    });
    troubles = [];
  });
  afterEach(() => server.close());

  const swept = async (needed: string[], declared: string[] = []) => {
    const before = collector.asked.length;
    registry.retain({ images: new Set(needed), declared: new Set(declared) }, collector);
    await until(() => collector.asked.length > before, "the sweep has asked");
    await registry.idle();
    return server.tags("berth/code-1");
  };

  test("keeps images that no revision needs until the collector allows it", async () => {
    const [a, b] = [await built("a"), await built("b")];
    await Promise.all([registry.publish(a.image), registry.publish(b.image)]);
    expect((await swept([a.image])).length).toBe(2);
    collector.allowed.add(tagOf(b.image));
    expect(await swept([a.image])).toEqual([tagOf(a.image)]);
    expect(collector.removed).toEqual([`image ${tagOf(b.image)} because`]);
  });

  test("that does not answer a sweep is reported once, and once more when it answers", async () => {
    const sweep = () => {
      registry.retain({ images: new Set(), declared: new Set() }, collector);
      return registry.idle();
    };
    await sweep();
    server.away = 503;
    await sweep();
    await sweep();
    expect(troubles).toEqual([expect.stringContaining("503")]);
    server.away = null;
    await sweep();
    expect(troubles.slice(1)).toEqual([null]);
  });

  test("has code of other namespaces and clusters too, by its digest", async () => {
    const { image, layer } = await built("a");
    const client = new RegistryClient({ registry: server.host, login: async () => null, insecure: true });
    const blob = (digest: string) => layout.get(digest);
    const other = new CodeRegistry({ kube, registry: client, repository: "berth/code-2", blob, pullSecret: null, onTrouble: () => {} });
    await other.publish(image);
    const bytes = await layout.get(layer);
    expect(Buffer.from(await registry.fetch(layer)).equals(bytes)).toBe(true);
    const missing = digestOf(Buffer.from("missing"));
    await expect(registry.fetch(missing)).rejects.toMatchObject({ status: 404 });
    server.away = 503;
    await expect(registry.fetch(missing)).rejects.toMatchObject({ status: 503 });
  });

  test("keeps an image whose code a declaration names, and one that was published again meanwhile", async () => {
    const [a, b] = [await built("a"), await built("b")];
    await Promise.all([registry.publish(a.image), registry.publish(b.image)]);
    collector.allowed.add(tagOf(a.image)).add(tagOf(b.image));
    expect((await swept([b.image], [a.layer])).length).toBe(2);
    registry.retain({ images: new Set(), declared: new Set() }, collector);
    await Promise.all([registry.publish(a.image), registry.publish(b.image)]);
    await registry.idle();
    const manifest = JSON.parse(Buffer.from(await layout.get(a.image)).toString("utf8")) as ImageManifest;
    expect([server.tags("berth/code-1").length, manifest.layers.length]).toEqual([2, 2]);
  });
});

test("a sweep that is due after the pool manager has closed reads nothing", async () => {
  let go = () => {};
  const turn = new Promise<void>((resolve) => {
    go = resolve;
  });
  let waits = false;
  const looked: string[] = [];
  const errors: unknown[] = [];
  const functions = {
    list: () => {
      looked.push("functions");
      return [];
    },
    exclusively: async (work: () => Promise<void>) => {
      waits = true;
      await turn;
      await work();
    },
  };
  const log = { error: (error: unknown) => errors.push(error) };
  const collection = new CodeCollector({ functions, log, isPaused: () => false } as unknown as CodeCollectorOptions);
  collection.start();
  await until(() => waits, "it waits for its turn");
  collection.close();
  go();
  await turn;
  await new Promise((resolve) => setImmediate(resolve));
  expect([looked, errors]).toEqual([[], []]);
});

test("no sweep runs before the platform has started", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let looks = 0;
  const exclusively = async () => {
    looks += 1;
  };
  const collection = new CodeCollector({ functions: { exclusively }, isPaused: () => false } as unknown as CodeCollectorOptions);
  onTestFinished(() => collection.close());
  collection.changed();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(looks).toBe(0);
  collection.start();
  await vi.advanceTimersByTimeAsync(1000);
  expect(looks).toBe(1);
});
