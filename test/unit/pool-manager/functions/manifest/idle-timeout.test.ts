import { expect, test } from "vitest";
import { parseManifest, patchManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { ManifestSchema } from "../../../../../pool-manager/functions/manifest/schema.ts";
import { manifestOf, newFunction, scalingOf } from "../../../../../pool-manager/functions/revisions.ts";
import { structural } from "../../../../../pool-manager/stores/kubernetes/definitions/schema-parts.ts";
import { resourceSpecOf, toApply } from "../../../../../pool-manager/stores/kubernetes/function-resource.ts";

const AUTO = { idleTimeoutMs: 600_000, idleAuto: true };
const idleOf = (manifest: ReturnType<typeof parseManifest>) => ({ idleTimeoutMs: manifest.idleTimeoutMs, idleAuto: manifest.idleAuto });
const patched = (change: object, from: object) => idleOf(patchManifest(change, ["node"], { ...parseManifest(from, ["node"]), name: "f", lostSecrets: [] }));

test.each([
  ["a change to auto", { idleTimeout: "auto" }, {}, AUTO],
  ["auto stays where a change does not name it", { minScale: 1 }, { idleTimeout: "auto" }, AUTO],
  ["a duration ends it", { idleTimeout: "1h" }, { idleTimeout: "auto" }, { idleTimeoutMs: 3_600_000 }],
  ["null ends it with the default", { idleTimeout: null }, { idleTimeout: "auto" }, { idleTimeoutMs: 300_000 }],
])("%s", (_title, change, from, expected) => {
  expect(patched(change, from)).toEqual({ idleAuto: undefined, ...expected });
});

test.each(["AUTO", "automatic", "", true])("%s is refused with the values that are accepted", (idleTimeout) => {
  expect(() => parseManifest({ idleTimeout }, ["node"])).toThrow(
    /^idleTimeout: must be a duration such as .+, or a number of seconds or auto, and is the (string|boolean) /,
  );
});

test("another duration does not accept it", () => {
  expect(() => parseManifest({ timeout: "auto" }, ["node"])).toThrow(/^timeout: must be a duration such as .+, or a number of seconds, and is/);
});

test("it is scaling, which makes no new revision, and is declared as it was given", () => {
  const manifest = parseManifest({ idleTimeout: "auto" }, ["node"]);
  expect(scalingOf(manifest)).toMatchObject(AUTO);
  expect(scalingOf(parseManifest({}, ["node"]))).not.toHaveProperty("idleAuto");
  const settings = { entry: "index.mjs", handler: null, signature: null, concurrency: 100, timeoutMs: 30_000 };
  const revision = { id: "r1", hash: "h", createdAt: "", layer: "l", image: "i", settings, loadTimeoutMs: 10_000, env: {}, secretNames: [], activatedAt: null };
  const record = { ...newFunction("f", manifest), active: "r1", latest: "r1", revisions: [revision] };
  expect(manifestOf(record, {})).toMatchObject(AUTO);
  const spec = resourceSpecOf(record);
  expect(spec).toEqual({ idleTimeout: "auto", code: { digest: "l" } });
  expect(toApply(spec, { ...spec }, new Set(), true)).toEqual({});
  expect(toApply(spec, { ...spec, idleTimeout: "5m" }, new Set(), true)).toEqual({ idleTimeout: "auto" });
});

test("the definition of the custom resource accepts it beside durations", () => {
  const { idleTimeout } = ManifestSchema.properties;
  const { pattern = "" } = structural(idleTimeout as unknown as Record<string, unknown>) as { pattern?: string };
  const accepted = ["auto", "5m", "1.5h", "AUTO", "autos", "5d", ""].filter((value) => new RegExp(pattern).test(value));
  expect(accepted).toEqual(["auto", "5m", "1.5h"]);
});
