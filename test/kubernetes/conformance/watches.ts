import { expect, test } from "vitest";
import { sleep, until } from "../../helpers/berth.ts";
import type { ConfigMap, ConformanceTools, Event, List } from "./tools.ts";

/** Lists, and watches that continue from them. */
export function watchesConformance({ kube, maps, sets, fresh, make, refusal, watched }: ConformanceTools): void {
  test("lists by label in pages that are all of one moment", async () => {
    const label = fresh();
    const names = ["a", "b", "c"].map((one) => `${label}-${one}`);
    for (const one of names) await make({}, { group: label }, one);
    const query = { labelSelector: `group=${label},group in (${label}, x),!none`, limit: "2" };
    const first = await kube().get<List<ConfigMap>>(maps(), query);
    expect(first.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(0, 2));
    await kube().delete(`${maps()}/${names[2]}`);
    const second = await kube().get<List<ConfigMap>>(maps(), { ...query, continue: first.metadata.continue ?? "" });
    expect(second.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(2));
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(second.metadata.continue).toBeUndefined();
  });

  test("a list of a version to come is refused after a while", async () => {
    const tooLarge = kube().get(maps(), { resourceVersion: "999999999" }, 10_000);
    expect(await refusal(tooLarge)).toMatch(/^504 Timeout: Timeout: Too large resource version: 999999999, current: \d+$/);
  });

  test("a watch tells of what begins to match, changes, ceases to match and is deleted", async () => {
    const label = fresh();
    const { metadata } = await kube().get<List<ConfigMap>>(maps());
    const query = { resourceVersion: metadata.resourceVersion, labelSelector: `w=${label}` };
    const [a, b] = [`${label}-a`, `${label}-b`];
    const events = await watched(
      query,
      async () => {
        await make({ x: "1" }, { w: label }, a);
        await make({ x: "1" }, {}, b);
        await kube().patch(`${maps()}/${a}`, "merge", { data: { x: "2" } });
        await kube().patch(`${maps()}/${b}`, "merge", { metadata: { labels: { w: label } } });
        await kube().patch(`${maps()}/${b}`, "merge", { metadata: { labels: { w: "other" } }, data: { x: "3" } });
        await kube().delete(`${maps()}/${a}`);
      },
      (seen) => seen.length >= 5,
    );
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name} ${object.data?.x}`)).toEqual([
      `ADDED ${a} 1`,
      `MODIFIED ${a} 2`,
      `ADDED ${b} 1`,
      `DELETED ${b} 1`,
      `DELETED ${a} 2`,
    ]);
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((x, y) => x - y));
  });

  test("a watch ends after its time, with a bookmark shortly before", async () => {
    const { metadata } = await kube().get<List<ConfigMap>>(maps());
    const query = { watch: "true", allowWatchBookmarks: "true", timeoutSeconds: "8", resourceVersion: metadata.resourceVersion };
    const events: Event[] = [];
    let ended = false;
    const end = () => {
      ended = true;
    };
    kube().stream(maps(), query, (line) => events.push(JSON.parse(line) as Event), end);
    await sleep(500);
    await make();
    await until(() => ended, "the watch has ended");
    const [first, ...rest] = events.map(({ type }) => type);
    // A server under load tells one twice within those seconds.
    expect([first, new Set(rest)]).toEqual(["ADDED", new Set(["BOOKMARK"])]);
    expect(Number(events[1]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(events[0]?.object.metadata.resourceVersion));
  });

  test("a watch from a version that is forgotten tells that it has expired", async () => {
    const events = await watched(
      { resourceVersion: "1" },
      async () => {},
      (seen) => seen.length > 0,
      // An API server that has just started remembers all ConfigMaps ever; CloneSets are not known when the cluster begins.
      sets(),
    );
    expect(events).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
  });

  test("a watch from no version begins with what there is", async () => {
    const label = fresh();
    await make({}, { v: label });
    const events = await watched(
      { labelSelector: `v=${label}` },
      async () => {},
      (seen) => seen.length > 0,
    );
    expect(events.map(({ type }) => type)).toEqual(["ADDED"]);
  });
}
