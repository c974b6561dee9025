import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { defaultPools, type ManagerConfig } from "../../../pool-manager/config.ts";

const maxOf = (kind: "local" | "kruise", poolMax: number | null) => {
  const config = { poolSize: 3, poolMax, platform: { kind } } as unknown as ManagerConfig;
  return defaultPools(config, ["node"]).map(({ max }) => max);
};

test("a pool's default maximum is what this machine holds; on a cluster it is the same for every pool manager", () => {
  expect(maxOf("local", null)).toEqual([Math.min(Math.max(Math.floor(totalmem() / 2 / (96 * 1024 * 1024)), 4), 500)]);
  expect([maxOf("kruise", null), maxOf("kruise", 7), maxOf("local", 7)]).toEqual([[100], [7], [7]]);
});
