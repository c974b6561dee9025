import { describe, expect, test, vi } from "vitest";
import { DEFINITIONS } from "../../../../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";
import type { FunctionResource } from "../../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import {
  accepted,
  code,
  declare,
  eachWithFunctions,
  names,
  notices,
  PATH,
  registry,
  resource,
  SECRETS,
  server,
  soon,
  start,
  store,
  troubles,
} from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

test("a declared function is ingested, and ends with the deletion of its resource", async () => {
  expect([names(), accepted("a")?.status]).toEqual([["a", "b"], "True"]);
  await server.delete(`${PATH}/a`);
  await soon();
  expect([names(), registry.endOf("unknown"), notices]).toEqual([["b"], null, []]);
});

describe("a start", () => {
  const refusable = [`GET ${DEFINITIONS}`, `GET ${SECRETS}`, `GET ${PATH}`];
  test.each([429, 500, 503, 403].flatMap((status) => refusable.map((what) => [status, what] as const)))(
    "goes on after %i to %s for a moment",
    async (status, what) => {
      store.close();
      server.refusals.set(what, status);
      const started = start();
      await vi.advanceTimersByTimeAsync(1500);
      server.refusals.clear();
      await vi.advanceTimersByTimeAsync(5000);
      await started;
      expect(names()).toEqual(["a", "b"]);
    },
  );

  test.each([`GET ${SECRETS}`, `GET ${PATH}`])("ends with the reason where %s is refused for longer", async (what) => {
    store.close();
    server.refusals.set(what, 403);
    const ended = start().catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(6000);
    expect(await ended).toMatch(/is refused \(tried for \d s\)/);
  });

  test("reports what it waits for, and when that is there", async () => {
    store.close();
    const listing: string[] = [];
    server.onListing = (plural, message) => listing.push(`${plural}: ${message}`);
    for (const what of [`GET ${SECRETS}`, `GET ${PATH}`]) {
      server.refusals.set(what, 403);
      const started = start();
      await vi.advanceTimersByTimeAsync(1000);
      server.refusals.clear();
      await vi.advanceTimersByTimeAsync(5000);
      await started;
      store.close();
      if (what.endsWith("secrets")) expect(troubles).toEqual([`${what} is refused; it is tried again`, null]);
    }
    expect(listing).toEqual([`functions: GET ${PATH} is refused; it is tried again`, "functions: null"]);
  });
});

describe("a declaration that cannot be ingested yet", () => {
  test("is held with the reason, reported once, and ingested when its Secret or its code comes", async () => {
    await declare("s", { secretRef: "token" });
    const later = `sha256:${"2".repeat(64)}`;
    await declare("c", { code: { digest: later } });
    await soon();
    expect([accepted("s")?.reason, accepted("c")?.reason]).toEqual(["SECRET_NOT_FOUND", "CODE_UNKNOWN"]);
    const { resourceVersion } = (resource("s") as FunctionResource).metadata;
    await vi.advanceTimersByTimeAsync(40_000);
    expect(resource("s")?.metadata.resourceVersion).toBe(resourceVersion);
    code.add(later);
    await server.create(SECRETS, { metadata: { name: "token" }, data: { X: Buffer.from("1").toString("base64") } });
    await vi.advanceTimersByTimeAsync(70_000);
    expect([accepted("s")?.status, accepted("c")?.status, names()]).toEqual(["True", "True", ["a", "b", "c", "s"]]);
  });

  test("is held across a restart too", async () => {
    await declare("s", { secretRef: "token" });
    await soon();
    await server.create(SECRETS, { metadata: { name: "token" }, data: {} });
    await start();
    expect(accepted("s")?.status).toBe("True");
  });

  test("is held while the API server refuses what Berth writes of it, and ingested afterwards", async () => {
    await server.create(SECRETS, { metadata: { name: "token" }, data: { X: Buffer.from("1").toString("base64") } });
    server.refusals.set(`PATCH ${SECRETS}/berth-fn-`, 422);
    await declare("s", { secretRef: "token" });
    await soon();
    expect([accepted("s")?.status, accepted("s")?.reason]).toEqual(["False", "FIELD_OWNED"]);
    server.refusals.clear();
    await vi.advanceTimersByTimeAsync(70_000);
    expect([accepted("s")?.status, names()]).toEqual(["True", ["a", "b", "s"]]);
  });

  test.each(["../functions/a", "token?watch=true", "a b", "Token", "x/../y", "a..b"])(
    "is what names %j as its Secret: no Secret has such a name, and none is asked for",
    async (secretRef) => {
      const asked = vi.spyOn(server, "get");
      await declare("s", { secretRef });
      await vi.advanceTimersByTimeAsync(30_000);
      expect(accepted("s")?.reason).toBe("SECRET_NOT_FOUND");
      expect(asked.mock.calls.filter(([path]) => path.startsWith(`${SECRETS}/`))).toEqual([]);
    },
  );

  test("is refused if its image has a tag only, and the fix is a digest", async () => {
    await declare("i", { runtime: "custom", image: "registry.example/shop:v1" });
    await soon();
    expect(accepted("i")).toMatchObject({ reason: "IMAGE_NOT_PINNED", message: expect.stringMatching(/shop:v1 has no digest.*name it by digest/) });
    expect(accepted("i")?.message).not.toContain("registry/name:tag");
  });

  test("is refused if it keeps instances of a revision that is not served, and says so", async () => {
    await declare("a", { traffic: { minScales: { r1: 1 } } });
    await soon();
    expect(accepted("a")).toMatchObject({ reason: "TRAFFIC_INVALID", message: expect.stringContaining("minScales.r1: r1 has neither a share nor an alias") });
    await declare("a", { timeout: "20s", traffic: { aliases: { old: "r1" }, minScales: { r1: 1 } } });
    await soon();
    expect(accepted("a")?.status).toBe("True");
    expect(resource("a")?.status).toMatchObject({ active: "r2", traffic: { aliases: { old: "r1" }, minScales: { r1: 1 } } });
    expect(registry.get("a").traffic.minScales).toEqual({ r1: 1 });
  });

  test("is refused for good if only another declaration helps", async () => {
    await declare("x", { timeout: "99h" });
    await soon();
    const { resourceVersion } = (resource("x") as FunctionResource).metadata;
    await vi.advanceTimersByTimeAsync(120_000);
    expect([accepted("x")?.reason, resource("x")?.metadata.resourceVersion]).toEqual(["MANIFEST_INVALID", resourceVersion]);
  });
});
