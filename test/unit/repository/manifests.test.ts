import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

interface Container {
  name: string;
  args?: unknown[];
  command?: unknown[];
  env?: { name: string; value?: unknown }[];
}

interface Pod {
  containers: Container[];
  initContainers?: Container[];
}

const objects = parseAllDocuments(readFileSync("deploy/manifests.yaml", "utf8")).map(
  (document) => document.toJS() as { kind: string; spec?: { template?: { spec: Pod } } } | null,
);
const pods = objects.flatMap((object) => object?.spec?.template?.spec ?? []);
const containers = pods.flatMap(({ containers, initContainers = [] }) => [...containers, ...initContainers]);

test("every argument and every variable of the manifests is text: YAML takes some unquoted ones for something else", () => {
  expect(containers.length).toBeGreaterThan(4);
  const values = containers.flatMap(({ name, args = [], command = [], env = [] }) =>
    [...args, ...command, ...env.flatMap(({ value }) => (value === undefined ? [] : [value]))].map((value) => `${name}: ${typeof value}`),
  );
  expect([...new Set(values)].filter((found) => !found.endsWith(": string"))).toEqual([]);
});
