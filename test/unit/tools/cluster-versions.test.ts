import { expect, test } from "vitest";
import { chosenBy, DEFAULT, NEWEST, OLDEST, RELEASES } from "../../cluster/machine/install/versions.ts";

test("a cluster is built from the requested versions, minor or complete, or else from its present ones, or from the defaults", () => {
  expect(chosenBy([], null)).toEqual(DEFAULT);
  expect(chosenBy(["--kruise", "1.8"], null)).toEqual({ ...DEFAULT, kruise: "1.8.3" });
  expect(chosenBy(["--kruise", `v${NEWEST.kruise}`, "--kubernetes", "1.30"], null)).toEqual({ kruise: NEWEST.kruise, kubernetes: OLDEST.kubernetes });
  expect(chosenBy([], OLDEST)).toEqual(OLDEST);
  expect(chosenBy(["--kubernetes", OLDEST.kubernetes], OLDEST)).toEqual(OLDEST);
});

test("a version that cannot be built, and another one than the present cluster's, are refused with what to do", () => {
  expect(() => chosenBy(["--kruise", "1.7"], null)).toThrow(`--kruise 1.7: a cluster can be made of ${RELEASES.kruise.join(", ")}`);
  expect(() => chosenBy(["--kruise", NEWEST.kruise], OLDEST)).toThrow(`the present cluster has kruise ${OLDEST.kruise}: npm run cluster:down ends it`);
  expect(() => chosenBy(["--etcd", "3"], null)).toThrow("--etcd");
});
