import { describe, expect, test } from "vitest";
import { ManagerError } from "../../../../../pool-manager/errors.ts";
import { parseManifest, patchManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { manifestOf, newFunction, scalingOf, settingsOf } from "../../../../../pool-manager/functions/revisions.ts";
import { resourceSpecOf, toApply } from "../../../../../pool-manager/stores/kubernetes/function-resource.ts";

const WORK = "Mon-Fri 08:00-19:00 Europe/Berlin=3";
const NIGHT = "daily 22:00-06:00 UTC=1";
const patched = (change: object, from: object) => patchManifest(change, ["node"], { ...parseManifest(from, ["node"]), name: "f", lostSecrets: [] }).warm;

test.each([
  ["a change replaces the list", { warm: [NIGHT] }, { warm: [WORK] }, [NIGHT]],
  ["what a change does not name stays", { minScale: 1 }, { warm: [WORK] }, [WORK]],
  ["an empty list takes all away", { warm: [] }, { warm: [WORK] }, undefined],
  ["and so does null", { warm: null }, { warm: [WORK] }, undefined],
  ["none is the default", {}, {}, undefined],
])("%s", (_title, change, from, expected) => {
  expect(patched(change, from)).toEqual(expected);
});

describe("what is wrong is refused with the field", () => {
  test.each([
    [{ warm: [NIGHT, "daily 8-9 UTC=1"] }, "warm.1", 'warm: "daily 8-9 UTC=1": "8" is no time'],
    [{ warm: [WORK], maxScale: 2 }, "warm.0", `warm: "${WORK}" keeps 3 instances, and maxScale is 2`],
  ])("%o", (manifest, field, message) => {
    const attempt = () => parseManifest(manifest, ["node"]);
    expect(attempt).toThrow(ManagerError);
    expect(attempt).toThrow(expect.objectContaining({ code: "SCHEDULE_INVALID", field, message: expect.stringContaining(message) }));
  });

  test("a maximum below a schedule that is in force", () => {
    expect(() => patched({ maxScale: 2 }, { warm: [WORK] })).toThrow(expect.objectContaining({ code: "SCHEDULE_INVALID", field: "warm.0" }));
  });

  test.each([
    ["a text", WORK],
    ["a number in the list", [3]],
    ["too many", Array(21).fill(WORK)],
  ])("%s", (_title, warm) => {
    expect(() => parseManifest({ warm }, ["node"])).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
  });
});

test("it is scaling, which makes no new revision, and is declared as it was given", () => {
  const manifest = parseManifest({ warm: [WORK] }, ["node"]);
  expect(scalingOf(manifest)).toMatchObject({ warm: [WORK] });
  expect(scalingOf(parseManifest({}, ["node"]))).not.toHaveProperty("warm");
  const settings = { entry: "index.mjs", handler: null, signature: null, concurrency: 100, timeoutMs: 30_000 };
  const revision = { id: "r1", hash: "h", createdAt: "", layer: "l", image: "i", settings, loadTimeoutMs: 10_000, env: {}, secretNames: [], activatedAt: null };
  const record = { ...newFunction("f", manifest), active: "r1", latest: "r1", revisions: [revision] };
  expect([manifestOf(record, {}).warm, settingsOf(record, revision).warm]).toEqual([[WORK], [WORK]]);
  const spec = resourceSpecOf(record);
  expect(spec).toEqual({ warm: [WORK], code: { digest: "l" } });
  expect(toApply(spec, { ...spec }, new Set(), true)).toEqual({});
  expect(toApply(spec, { ...spec, warm: [NIGHT] }, new Set(), true)).toEqual({ warm: [WORK] });
  expect(toApply({ code: { digest: "l" } }, spec, new Set(), true)).toEqual({ warm: [] });
});
