import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { FreshManagers } from "../subject/fresh-managers.ts";
import { ended } from "../subject/managers.ts";

const READY = /^berth ready/m;

const fresh = new FreshManagers();

const leads = async (url: string) => (await (await fetch(`${url}/metrics`)).text()).match(/^berth_leader_term (\d+)/m)?.[1];

/** The pool's status says that it was written in that term. */
async function poolOfTerm(value: number): Promise<void> {
  const path = `${RESOURCES}/namespaces/${fresh.namespace}/pools/node`;
  const pool = await fresh.view.kube.get<KubeObject & { status?: object }>(path);
  await fresh.view.kube.replace(`${path}/status`, { ...pool, status: { ...pool.status, term: value } });
}

describe("whatever becomes of the Lease", () => {
  test("its leader makes it anew in its term, five times and edited in between, and the standby waits", async () => {
    const leader = await fresh.managers.start(READY);
    const standby = await fresh.managers.start(/another pool manager leads/);
    const name = await fresh.holder();
    for (const spec of [{ leaseTransitions: 0 }, { holderIdentity: "" }, { leaseDurationSeconds: 1 }, { renewTime: "1970-01-01T00:00:00.000000Z" }, null]) {
      await fresh.view.kube.delete(fresh.leasePath);
      await until(async () => (await fresh.holder()) === name, "the leader holds it again", 5000);
      if (spec) await fresh.view.kube.patch(fresh.leasePath, "merge", { spec });
      await sleep(3000);
      expect([await fresh.holder(), await fresh.term(), leader.child.exitCode]).toEqual([name, 1, null]);
    }
    expect(await leads(leader.url)).toBe("1");
    expect(standby.said()).not.toContain("berth ready");
  });

  test("terms rise: it is deleted after five of them while nobody leads, and the resources carry them", async () => {
    for (let i = 1; i <= 5; i++) {
      const { child } = await fresh.managers.start(READY, 0);
      expect(await fresh.term()).toBe(i);
      expect(await ended(child, "SIGTERM")).toBe(0);
    }
    await fresh.view.kube.delete(fresh.leasePath);
    const next = await fresh.managers.start(READY, 0);
    expect([await fresh.term(), await leads(next.url)]).toEqual([6, "6"]);
  });

  test("a term that something carries is never taken again, though the Lease says less", async () => {
    const first = await fresh.managers.start(READY, 0);
    expect(await ended(first.child, "SIGTERM")).toBe(0);
    await poolOfTerm(50);
    const second = await fresh.managers.start(READY, 0);
    expect(await leads(second.url)).toBe("51");
    expect(await ended(second.child, "SIGKILL")).toBeNull();
    await fresh.view.kube.patch(fresh.leasePath, "merge", { spec: { leaseTransitions: 2, holderIdentity: null } });
    const third = await fresh.managers.start(READY, 0);
    expect(await leads(third.url)).toBe("52");
  });
});

describe("a start", () => {
  test("that fails after it has taken the Lease lets go of it and ends", async () => {
    const first = await fresh.managers.start(READY, 0);
    expect(await ended(first.child, "SIGTERM")).toBe(0);
    // Each time that the start reads the pool, the pool carries a later term than the one that the start took.
    let over = false;
    const raising = (async () => {
      while (!over) await poolOfTerm(((await fresh.term()) ?? 0) + 10).catch(() => {});
    })();
    const { code, tookMs, said } = await fresh.managers.run(60_000).finally(() => {
      over = true;
    });
    await raising;
    expect(said).toContain("was written by a later leader");
    expect(code).toBe(4);
    expect(tookMs).toBeLessThan(30_000);
    expect([await fresh.holder(), (await fresh.lease())?.metadata.annotations?.["berth.dev/released"]]).toEqual(["", String(await fresh.term())]);
  });
});
