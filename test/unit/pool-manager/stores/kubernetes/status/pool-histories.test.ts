import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PoolHistory } from "../../../../../../pool-manager/pool/history/pool-history.ts";
import { Pools } from "../../../../../../pool-manager/pool/pools.ts";
import { MAX_HISTORY, RESOURCES } from "../../../../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { StoreNotice } from "../../../../../../pool-manager/stores/kubernetes/notices.ts";
import { type PoolResource, PoolResources } from "../../../../../../pool-manager/stores/kubernetes/pool-resources.ts";
import { FIELD_MANAGER } from "../../../../../../pool-manager/stores/kubernetes/resource-client.ts";
import { PoolHistories } from "../../../../../../pool-manager/stores/kubernetes/status/pool-histories.ts";
import { POOL } from "../../../../../helpers/builders/world.ts";
import { ResourceServer } from "../../../../../helpers/servers/resource-server.ts";

const PATH = `${RESOURCES}/namespaces/n/pools/node`;
const BEGIN = Date.UTC(2026, 10, 30, 9);

let server: ResourceServer;
let store: PoolResources;
let pools: Pools;
let notices: StoreNotice[];
let histories: PoolHistories;

async function open(term: number): Promise<void> {
  store = new PoolResources(server, term, (notice) => notices.push(notice));
  pools = new Pools(store, () => {});
  await pools.load([POOL]);
  await store.follow(pools.list(), (name, change) => pools.declare(name, change));
  histories = new PoolHistories(store, (notice) => notices.push(notice));
}

const resource = () => server.objects.get(PATH) as PoolResource;

function recorded(claims: number): PoolHistory {
  const history = new PoolHistory(BEGIN);
  for (let i = 0; i < claims; i++) {
    history.advance(BEGIN + i * 10_000);
    history.claimed(BEGIN + i * 10_000, { refillMs: 1000 + i, refills: 1 });
    history.claimant(`${i}-${Math.sin(i)}`).claimed(BEGIN + i * 10_000, i % 5);
  }
  return history;
}

beforeEach(async () => {
  server = new ResourceServer();
  notices = [];
  await open(1);
});
afterEach(() => store.close());

test("the next leader reads what the last one has recorded, and other fields of the status stay", async () => {
  await histories.save("node", recorded(100));
  await store.report(pools.get("node"), { free: 1, instances: 2, problems: [] });
  store.close();
  await open(2);
  const found = (await histories.load()).get("node");
  expect(found?.hour.entries().length).toBe(100);
  expect(resource().status).toMatchObject({ size: 2, instances: 2 });
});

test("what is stored already is not written again, and a pool without a resource is left alone", async () => {
  await histories.save("node", recorded(10));
  const { resourceVersion } = resource().metadata;
  await histories.save("node", recorded(10));
  await histories.save("python", recorded(10));
  expect(resource().metadata.resourceVersion).toBe(resourceVersion);
});

test("the text is bounded, whatever was recorded", async () => {
  await histories.save("node", recorded(8000));
  expect((resource().status?.claims ?? "").length).toBeLessThanOrEqual(MAX_HISTORY);
  expect((await histories.load()).get("node")?.hour.entries().length).toBeGreaterThan(0);
});

describe("a damaged text is reported, and nothing else is lost", () => {
  test.each([
    ["no base64", "%%%"],
    ["no archive", "aGVsbG8="],
  ])("%s", async (_title, claims) => {
    await store.writeHistory("node", claims);
    expect((await histories.load()).size).toBe(0);
    expect(notices).toMatchObject([{ topic: "damaged", kind: "Pool", message: expect.stringContaining("a new history begins") }]);
    await histories.save("node", recorded(3));
    expect((await histories.load()).size).toBe(1);
  });
});

describe("a declared pool that sizes itself", () => {
  test("its status has the chosen size", async () => {
    await pools.set("node", { size: "auto", min: 2, targetHit: 0.9 });
    pools.choose("node", { size: 5, refills: 1 });
    await store.report(pools.get("node"), { free: 1, instances: 2, problems: [] });
    expect(resource()).toMatchObject({ spec: { auto: { min: 2, targetHit: 0.9 } }, status: { size: 5, max: 6 } });
  });

  test("a fixed size through the API takes the fields of the other kind away", async () => {
    await pools.set("node", { size: "auto", min: 2, targetHit: 0.9 });
    const fieldsV1 = { "f:spec": { "f:auto": { "f:min": {}, "f:targetHit": {} } } };
    const managedFields = [{ manager: FIELD_MANAGER, operation: "Apply", apiVersion: "v1", fieldsType: "FieldsV1", fieldsV1 }];
    await server.patch(PATH, "merge", { metadata: { managedFields } });
    await pools.set("node", { min: 1 });
    const applied = vi.spyOn(server, "patch");
    await pools.set("node", { size: 4 });
    expect(applied.mock.calls.map(([, , body]) => (body as PoolResource).spec)).toEqual([{ size: 4 }]);
  });

  test("a resource with a size and bounds is refused, with the reason in its condition", async () => {
    await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3, auto: { min: 2 } } });
    await vi.waitFor(() =>
      expect(resource().status?.conditions?.find(({ type }) => type === "Accepted")).toMatchObject({
        status: "False",
        reason: "POOL_INVALID",
        message: expect.stringContaining("auto: it and size exclude each other"),
      }),
    );
    expect(pools.get("node")).toMatchObject({ size: 2, auto: null });
    store.close();
    await open(2);
    expect(pools.get("node")).toMatchObject({ size: 2 });
  });

  test("the next leader reads the declaration", async () => {
    await pools.set("node", { size: "auto", min: 2, targetHit: 0.9 });
    store.close();
    await open(2);
    expect(pools.get("node")).toMatchObject({ size: 2, auto: { min: 2, targetHit: 0.9 } });
  });
});
