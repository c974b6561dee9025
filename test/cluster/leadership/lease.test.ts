import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManageClient } from "../../../cli/manage-client.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";
import { berthProcess } from "../../helpers/routers.ts";
import { apiserver } from "../machine/daemons.ts";
import { pidOf, settled, start, stop } from "../machine/processes.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { ended, Managers } from "../subject/managers.ts";
import { deleteNamespace, freshNamespace } from "../subject/subject.ts";

interface Lease {
  metadata: { annotations?: Record<string, string> };
  spec: { holderIdentity?: string; leaseTransitions?: number; renewTime?: string };
}

const READY = /^berth ready/m;
const HELLO = "export default { fetch: () => new Response('hello') };";

let namespace: string;
let view: ClusterView;
let managers: Managers;
beforeEach(async () => {
  namespace = freshNamespace();
  view = await ClusterView.open(namespace);
  managers = new Managers(namespace);
});
afterEach(async () => {
  managers.killAll();
  view.close();
  await deleteNamespace(namespace);
});

const leasePath = () => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/berth`;
const lease = () => view.kube.get<Lease>(leasePath()).catch(() => null);
const term = async () => (await lease())?.spec.leaseTransitions;
const holder = async () => (await lease())?.spec.holderIdentity;
const leads = async (url: string) => (await (await fetch(`${url}/metrics`)).text()).match(/^berth_leader_term (\d+)/m)?.[1];

/** The pool's status says that it was written in that term. */
async function poolOfTerm(value: number): Promise<void> {
  const path = `${RESOURCES}/namespaces/${namespace}/pools/node`;
  const pool = await view.kube.get<KubeObject & { status?: object }>(path);
  await view.kube.replace(`${path}/status`, { ...pool, status: { ...pool.status, term: value } });
}

describe("whatever becomes of the Lease", () => {
  test("its leader makes it anew in its term, five times and edited in between, and the standby waits", async () => {
    const leader = await managers.start(READY);
    const standby = await managers.start(/another pool manager leads/);
    const name = await holder();
    for (const spec of [{ leaseTransitions: 0 }, { holderIdentity: "" }, { leaseDurationSeconds: 1 }, { renewTime: "1970-01-01T00:00:00.000000Z" }, null]) {
      await view.kube.delete(leasePath());
      await until(async () => (await holder()) === name, "the leader holds it again", 5000);
      if (spec) await view.kube.patch(leasePath(), "merge", { spec });
      await sleep(3000);
      expect([await holder(), await term(), leader.child.exitCode]).toEqual([name, 1, null]);
    }
    expect(await leads(leader.url)).toBe("1");
    expect(standby.said()).not.toContain("berth ready");
  });

  test("terms rise: it is deleted after five of them while nobody leads, and the resources carry them", async () => {
    for (let i = 1; i <= 5; i++) {
      const { child } = await managers.start(READY, 0);
      expect(await term()).toBe(i);
      expect(await ended(child, "SIGTERM")).toBe(0);
    }
    await view.kube.delete(leasePath());
    const next = await managers.start(READY, 0);
    expect([await term(), await leads(next.url)]).toEqual([6, "6"]);
  });

  test("it stays with its leader when the API server is away, or etcd stands still, and the standby stays", async () => {
    const leader = await managers.start(READY, 0);
    const standby = await managers.start(/another pool manager leads/, 0);
    const name = await holder();
    const outages = [
      async () => {
        await stop("kube-apiserver");
        await sleep(9000);
        start(apiserver);
        await settled(apiserver);
      },
      async () => {
        const pid = pidOf("etcd") ?? 0;
        process.kill(pid, "SIGSTOP");
        await sleep(12_000).finally(() => process.kill(pid, "SIGCONT"));
      },
    ];
    for (const outage of outages) {
      await outage();
      const renewed = (await lease())?.spec.renewTime;
      await until(async () => ((await lease())?.spec.renewTime ?? renewed) !== renewed, "it is renewed", 10_000);
      await sleep(7000);
      expect([await holder(), await term(), leader.child.exitCode, standby.child.exitCode]).toEqual([name, 1, null, null]);
    }
    expect(standby.said()).not.toContain("berth ready");
    expect(leader.said()).toContain("nothing is written until it has been renewed");
  });

  test("a term that something carries is never taken again, though the Lease says less", async () => {
    const first = await managers.start(READY, 0);
    expect(await ended(first.child, "SIGTERM")).toBe(0);
    await poolOfTerm(50);
    const second = await managers.start(READY, 0);
    expect(await leads(second.url)).toBe("51");
    expect(await ended(second.child, "SIGKILL")).toBeNull();
    await view.kube.patch(leasePath(), "merge", { spec: { leaseTransitions: 2, holderIdentity: null } });
    const third = await managers.start(READY, 0);
    expect(await leads(third.url)).toBe("52");
  });
});

describe("a start", () => {
  test("that fails after it has taken the Lease lets go of it and ends", async () => {
    const first = await managers.start(READY, 0);
    expect(await ended(first.child, "SIGTERM")).toBe(0);
    // Whatever term the start takes, the pool carries a later one by the time that it is read.
    let over = false;
    const raising = (async () => {
      while (!over) await poolOfTerm(((await term()) ?? 0) + 10).catch(() => {});
    })();
    const { code, tookMs, said } = await managers.run(60_000).finally(() => {
      over = true;
    });
    await raising;
    expect(said).toContain("was written by a later leader");
    expect(code).toBe(4);
    expect(tookMs).toBeLessThan(30_000);
    expect([await holder(), (await lease())?.metadata.annotations?.["berth.dev/released"]]).toEqual(["", String(await term())]);
  });

  test("needs no answer of Kruise: with its manager frozen it leads and serves, and the budgets follow", async () => {
    const first = await managers.start(READY);
    await new TestBerth({ invokeUrl: "", manageUrl: first.url, close: async () => {} }).prewarmed(2);
    const budgets = ["policy.kruise.io/v1alpha1", "policy/v1"].map((group) => {
      const kind = group.startsWith("policy.") ? "podunavailablebudgets" : "poddisruptionbudgets";
      return `/apis/${group}/namespaces/${namespace}/${kind}/berth-instances`;
    });
    // They are written in the background.
    const areThere = () =>
      Promise.all(budgets.map((path) => view.kube.get(path))).then(
        () => true,
        () => false,
      );
    await until(areThere, "the budgets are written");
    expect(await ended(first.child, "SIGKILL")).toBeNull();
    for (const path of budgets) await view.kube.delete(path);
    const kruise = pidOf("kruise") ?? 0;
    process.kill(kruise, "SIGSTOP");
    try {
      const next = await managers.start(READY);
      const { child, line } = await berthProcess(["--url", next.url, "router", "--router-port", "0"], /^router ready: invoke (\S+)/m);
      managers.children.push(child);
      const berth = new TestBerth({ invokeUrl: line[1] ?? "", manageUrl: next.url, close: async () => {} });
      await berth.deploy("hello", HELLO);
      const response = await berth.invoke("hello", { signal: AbortSignal.timeout(20_000) });
      expect([response.status, await response.text()]).toEqual([200, "hello"]);
      await until(() => /podunavailablebudgets\S+ within 5000 ms: an admission webhook may hang/.test(next.said()), "the budget is told", 20_000);
      expect(await new ManageClient(next.url).get("/v1/functions/hello")).toMatchObject({ revision: "r1" });
      process.kill(kruise, "SIGCONT");
      await until(() => next.said().includes("works again"), "the budget is written", 60_000);
      await view.kube.get(`/apis/policy.kruise.io/v1alpha1/namespaces/${namespace}/podunavailablebudgets/berth-instances`);
    } finally {
      process.kill(kruise, "SIGCONT");
    }
  });
});
