import { describe, expect, test } from "vitest";
import { type Call, imageOf, layerOf, manifestOf } from "../../../../../pool-manager/api/openfaas/deployment.ts";
import { availableOf, labelsOf } from "../../../../../pool-manager/api/openfaas/views.ts";

const LAYER = `sha256:${"a".repeat(64)}`;
const CODE = imageOf(LAYER);
const CALL: Call = { runtime: "python", handler: "main", signature: null, command: null, health: null };
const REGISTRY = "registry.example/f:1";

describe("a deployment of OpenFaaS", () => {
  test.each([
    ["code for a new function", { image: CODE }, CALL, null, { runtime: "python", handler: "main", code: LAYER, env: {} }],
    ["code for a function that there is", { image: CODE }, CALL, { env: {}, secrets: [] }, { ...CALL, code: LAYER, env: {} }],
    ["an image", { image: REGISTRY }, null, null, { runtime: "custom", image: REGISTRY, env: {} }],
    [
      "variables, which replace those that there are",
      { image: REGISTRY, envVars: { A: "1" }, envProcess: "cat" },
      null,
      { env: { A: "0", B: "0", fprocess: "old" }, secrets: [] },
      { runtime: "custom", image: REGISTRY, env: { A: "1", B: null, fprocess: "cat" } },
    ],
    [
      "labels that Berth has a field for",
      { image: REGISTRY, labels: { "com.openfaas.scale.min": "1", "com.openfaas.scale.max": "5", team: "a" }, annotations: { topic: "t" } },
      null,
      null,
      { runtime: "custom", image: REGISTRY, env: {}, minScale: 1, maxScale: 5 },
    ],
    [
      "limits",
      { image: REGISTRY, limits: { memory: "64Mi", cpu: "100m" }, requests: { memory: "1Mi" } },
      null,
      null,
      { runtime: "custom", image: REGISTRY, env: {}, memory: "64Mi", cpu: "100m" },
    ],
    [
      "secrets that the function has",
      { image: REGISTRY, secrets: ["T"] },
      null,
      { env: {}, secrets: ["S", "T"] },
      { runtime: "custom", image: REGISTRY, env: {} },
    ],
  ])("has %s", (_what, deployment, call, present, expected) => {
    expect(manifestOf({ service: "f", ...deployment }, call, present)).toEqual(expected);
  });

  test.each([
    [{ secrets: ["T"] }, null, "SECRET_MISSING", 400],
    [{ secrets: ["S", "T"] }, { env: {}, secrets: ["S"] }, "SECRET_MISSING", 400],
    [{ constraints: ["a=b"] }, null, "DEPLOYMENT_UNSUPPORTED", 400],
    [{ readOnlyRootFilesystem: true }, null, "DEPLOYMENT_UNSUPPORTED", 400],
    [{ labels: { "com.openfaas.scale.min": "many" } }, null, "MANIFEST_INVALID", 400],
    [{ labels: { "com.openfaas.scale.max": "-1" } }, null, "MANIFEST_INVALID", 400],
  ])("%j is refused, and never as a function that is missing", (fields, present, code, status) => {
    expect(() => manifestOf({ service: "f", image: REGISTRY, ...fields }, null, present)).toThrow(expect.objectContaining({ code, status }));
  });
});

test.each([
  [CODE, LAYER],
  [REGISTRY, null],
  [`registry.example/berth/code@${LAYER}`, null],
  [`berth/code/g@${LAYER}`, null],
  ["berth/code@sha256:abc", null],
  [`${CODE}\n`, null],
])("%j stands for the code %s", (image, layer) => {
  expect(layerOf(image)).toBe(layer);
});

test("labels tell what is not the default, so that a stack file that does not name them is no other", () => {
  expect(labelsOf({ minScale: 0, maxScale: 20 })).toEqual({});
  expect(labelsOf({ minScale: 2, maxScale: 3 })).toEqual({ "com.openfaas.scale.min": "2", "com.openfaas.scale.max": "3" });
});

test.each([
  [3, true, 3],
  [3, false, 3],
  [0, true, 1],
  [0, false, 0],
])("of %i warm instances, with one to claim: %s, %i can take the next invocation", (warm, mayClaim, expected) => {
  expect(availableOf(warm, mayClaim)).toBe(expected);
});
