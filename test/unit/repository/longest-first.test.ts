import { globSync } from "tinyglobby";
import { expect, test } from "vitest";
import type { ViteUserConfig } from "vitest/config";
import shortTier from "../../../vitest.config.ts";
import { LONGEST } from "../../helpers/runner/longest-first.ts";
import longTier from "../../long/vitest.config.ts";

interface Project {
  test: { include: string[]; exclude?: string[] };
}

function filesOf({ test: tier }: ViteUserConfig): Set<string> {
  const projects = tier?.projects as unknown as Project[];
  return new Set(projects.flatMap(({ test: { include, exclude } }) => globSync(include, { ignore: exclude })));
}

test.each([
  ["npm test", LONGEST.short, shortTier],
  ["npm run test:long", LONGEST.long, longTier],
])("%s runs each file that it is to begin with", (_tier, files, config) => {
  const run = filesOf(config);
  expect(run.size).toBeGreaterThan(files.length);
  expect(files.filter((file) => !run.has(file))).toEqual([]);
});
