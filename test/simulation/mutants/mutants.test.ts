import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import type { SimulationResult } from "../simulation.ts";
import { DOCUMENTED } from "./documented.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";

type Simulate = (seed: number, odds?: Record<string, number>, hasClasses?: boolean) => Promise<SimulationResult>;

/** A mutant has to be caught within this many seeds. */
const SEEDS = 250;

function mutate({ file, find, replace }: Mutant): Plugin {
  const path = resolve(file);
  return {
    name: "mutate",
    setup: (context) =>
      context.onLoad({ filter: /\.ts$/ }, ({ path: loaded }) =>
        loaded === path ? { contents: readFileSync(path, "utf8").replace(find, () => replace), loader: "ts" } : undefined,
      ),
  };
}

/** Beside the packages, which a mutant shares with the others instead of bundling them. */
const cache = resolve("node_modules/.cache");
mkdirSync(cache, { recursive: true });
const dir = mkdtempSync(join(cache, "berth-mutants-"));
afterAll(() => rmSync(dir, { recursive: true }));

async function simulationOf(mutant: Mutant, index: number): Promise<Simulate> {
  const outfile = join(dir, `${index}.mjs`);
  await build({
    entryPoints: ["test/simulation/simulation.ts"],
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "error",
    plugins: [mutate(mutant)],
  });
  return ((await import(pathToFileURL(outfile).href)) as { simulate: Simulate }).simulate;
}

describe("mutants: each guard that is taken away is caught", () => {
  for (const [index, mutant] of MUTANTS.entries()) {
    test(mutant.name, async () => {
      const simulate = await simulationOf(mutant, index);
      let caught: string | null = null;
      for (let seed = 1; seed <= SEEDS && caught === null; seed++) caught = (await simulate(seed, mutant.odds, mutant.hasClasses)).violation;
      const id = DOCUMENTED.find(({ mutant: name }) => name === mutant.name)?.id;
      expect(caught).toContain(`invariant ${id}: `);
    }, 60_000);
  }
});
