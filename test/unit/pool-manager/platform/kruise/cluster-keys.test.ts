import { describe, expect, test } from "vitest";
import { keepKeys, loadKeys, presentKeys } from "../../../../../pool-manager/platform/kruise/cluster-keys.ts";
import { MemoryCluster } from "../../../../kubernetes/cluster.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const SECRETS = "/api/v1/namespaces/berth/secrets";
const KEYS = `${SECRETS}/berth-keys`;

describe("the keys of a namespace, while a pool manager leads", () => {
  test("are written again if somebody deletes or breaks them: instances know no others", () =>
    VirtualTime.run(1, async (time) => {
      const cluster = new MemoryCluster();
      const kube = cluster.connect("leader");
      const { keys } = await loadKeys(kube);
      const told: (string | null)[] = [];
      const end = keepKeys(kube, keys, (message) => told.push(message));
      const breakings = [
        () => cluster.at("DELETE", KEYS),
        () => cluster.at("PATCH", KEYS, { data: null }),
        () => cluster.at("PATCH", KEYS, { data: { instances: "" } }),
        () => cluster.at("PATCH", KEYS, { data: { signing: "eA==" } }),
      ];
      for (const breakIt of breakings) {
        breakIt();
        await time.sleep(6000);
        expect((await loadKeys(cluster.connect("next"))).keys.equals(keys)).toBe(true);
      }
      expect(told).toEqual([]);
      end();
      cluster.at("DELETE", KEYS);
      await time.sleep(60_000);
      expect(cluster.store.get("/secrets", "berth", "berth-keys")).toBeUndefined();
    }));

  test("that were replaced are reported once, and left", () =>
    VirtualTime.run(2, async (time) => {
      const cluster = new MemoryCluster();
      const kube = cluster.connect("leader");
      const { keys } = await loadKeys(kube);
      cluster.at("DELETE", KEYS);
      const { keys: others } = await loadKeys(cluster.connect("other"));
      const told: (string | null)[] = [];
      const end = keepKeys(kube, keys, (message) => told.push(message));
      await time.sleep(200_000);
      expect(told).toEqual([
        expect.stringMatching(/^the Secret berth-keys of namespace berth does not hold the keys of the running instances: .*; restore it$/),
      ]);
      expect((await loadKeys(kube)).keys.equals(others)).toBe(true);
      cluster.at("PATCH", KEYS, { stringData: keys.stringData });
      await time.sleep(100_000);
      expect(told.slice(1)).toEqual([null]);
      end();
    }));

  test("are read again by a pool manager that has waited to lead, and stay as it knew them if they cannot be read", () =>
    VirtualTime.run(3, async () => {
      const cluster = new MemoryCluster();
      const kube = cluster.connect("standby");
      const { keys } = await loadKeys(kube);
      expect((await presentKeys(kube, keys)).equals(keys)).toBe(true);
      cluster.at("DELETE", KEYS);
      expect(await presentKeys(kube, keys)).toBe(keys);
      const { keys: others } = await loadKeys(cluster.connect("other"));
      expect((await presentKeys(kube, keys)).equals(others)).toBe(true);
    }));
});
