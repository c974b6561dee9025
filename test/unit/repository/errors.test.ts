import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { MANAGER_ERRORS } from "../../../pool-manager/errors.ts";
import { ROUTER_ERRORS } from "../../../router/errors.ts";

const page = readFileSync("docs/errors.md", "utf8");

test("docs/errors.md has every error of both services, with its status and its fix, and no other", () => {
  const documented = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \|$/gm)].map(([, code, status, fix]) => [code, Number(status), fix]);
  const real = [...Object.entries(MANAGER_ERRORS), ...Object.entries(ROUTER_ERRORS)].map(([code, [status, fix]]) => [code, status, fix]);
  expect(documented.sort()).toEqual(real.sort());
});

test("docs/errors.md has every error of the command", () => {
  const sources = readdirSync("cli", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const thrown = new Set(
    sources.flatMap((name) => [...readFileSync(join("cli", name), "utf8").matchAll(/CliError\(\s*"([A-Z_]+)"/g)].map((match) => match[1] as string)),
  );
  expect(thrown.size).toBeGreaterThan(8);
  for (const code of thrown) expect(page).toContain(`| \`${code}\` |`);
});

test("the published schema file is the schema in force", async () => {
  const { ManifestSchema } = await import("../../../pool-manager/functions/manifest/schema.ts");
  const file = JSON.parse(readFileSync("pool-manager/functions/function.schema.json", "utf8"));
  expect(file).toEqual(JSON.parse(JSON.stringify(ManifestSchema)));
});

test("the definitions of the chart are those of the custom resources in force", async () => {
  const { definitions } = await import("../../../pool-manager/stores/kubernetes/definitions/crds.ts");
  const files = readdirSync("deploy/chart/crds").sort();
  expect(files.map((name) => parse(readFileSync(join("deploy/chart/crds", name), "utf8")))).toEqual(JSON.parse(JSON.stringify(definitions())));
});
