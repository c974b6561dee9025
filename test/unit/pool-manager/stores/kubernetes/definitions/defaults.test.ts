import { expect, test } from "vitest";
import { definitions } from "../../../../../../pool-manager/stores/kubernetes/definitions/crds.ts";

/** Paths of the schemas that have a default. */
function defaultsIn(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "default" ? [path] : defaultsIn(inner, `${path}.${key}`)));
}

test("no field has a default: whoever creates a resource would own it, and the API could not change it", () => {
  expect(defaultsIn({ properties: { size: { default: 1 } } })).toEqual([".properties.size"]);
  expect(defaultsIn(definitions())).toEqual([]);
});
