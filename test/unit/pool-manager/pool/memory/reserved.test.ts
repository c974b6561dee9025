import { expect, test } from "vitest";
import { parseManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { INSTANCE_BYTES } from "../../../../../pool-manager/pool/memory/idle-memory.ts";
import { reservedBytes } from "../../../../../pool-manager/pool/memory/reserved.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

const MIB = 2 ** 20;

test("the instances of minScale count with the memory of their function, and only in their pool", async () => {
  const { functions } = await Rest.reach();
  const others = reservedBytes(functions, "node");
  const deploy = (name: string, manifest: object) => functions.deploy(name, () => parseManifest(manifest, ["node"]), { layer: "one", entry: "index.mjs" });
  await deploy("a", { minScale: 2 });
  await deploy("b", { minScale: 3, memory: "200Mi" });
  await deploy("c", { minScale: 0, memory: "200Mi" });
  expect(reservedBytes(functions, "node") - others).toBe(2 * INSTANCE_BYTES + 600 * MIB);
  expect(reservedBytes(functions, "python")).toBe(0);
});

test("the instances that are kept of a revision beside the active one count with the memory of that revision", async () => {
  const { functions } = await Rest.reach();
  const others = reservedBytes(functions, "node");
  const deploy = (memory: string, layer: string, canary?: number) =>
    functions.deploy("a", () => parseManifest({ memory }, ["node"]), { layer, entry: "index.mjs" }, { canary });
  await deploy("100Mi", "one");
  await deploy("200Mi", "two", 10);
  await functions.setTraffic("a", { minScales: { r2: 3 } });
  expect(reservedBytes(functions, "node") - others).toBe(600 * MIB);
  await functions.setTraffic("a", { active: "r2" });
  expect(reservedBytes(functions, "node") - others).toBe(0);
});
