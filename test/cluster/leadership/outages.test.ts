import { expect, test } from "vitest";
import { ManageClient } from "../../../cli/manage-client.ts";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";
import { berthProcess } from "../../helpers/routers.ts";
import { apiserver } from "../machine/daemons.ts";
import { pidOf, settled, start, stop } from "../machine/processes.ts";
import { FreshManagers } from "../subject/fresh-managers.ts";
import { ended } from "../subject/managers.ts";

const READY = /^berth ready/m;
const HELLO = "export default { fetch: () => new Response('hello') };";

const fresh = new FreshManagers();

test("the Lease stays with its leader when the API server is away, or etcd stands still, and the standby stays", async () => {
  const leader = await fresh.managers.start(READY, 0);
  const standby = await fresh.managers.start(/another pool manager leads/, 0);
  const name = await fresh.holder();
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
    const renewed = (await fresh.lease())?.spec.renewTime;
    await until(async () => ((await fresh.lease())?.spec.renewTime ?? renewed) !== renewed, "it is renewed", 10_000);
    await sleep(7000);
    expect([await fresh.holder(), await fresh.term(), leader.child.exitCode, standby.child.exitCode]).toEqual([name, 1, null, null]);
  }
  expect(standby.said()).not.toContain("berth ready");
  expect(leader.said()).toContain("nothing is written until it has been renewed");
});

test("a start needs no answer of Kruise: with its manager frozen it leads and serves, and the budgets follow", async () => {
  const first = await fresh.managers.start(READY);
  await new TestBerth({ invokeUrl: "", manageUrl: first.url, close: async () => {} }).prewarmed(2);
  const budgets = ["policy.kruise.io/v1alpha1", "policy/v1"].map((group) => {
    const kind = group.startsWith("policy.") ? "podunavailablebudgets" : "poddisruptionbudgets";
    return `/apis/${group}/namespaces/${fresh.namespace}/${kind}/berth-instances`;
  });
  // They are written in the background.
  const areThere = () =>
    Promise.all(budgets.map((path) => fresh.view.kube.get(path))).then(
      () => true,
      () => false,
    );
  await until(areThere, "the budgets are written");
  expect(await ended(first.child, "SIGKILL")).toBeNull();
  for (const path of budgets) await fresh.view.kube.delete(path);
  const kruise = pidOf("kruise") ?? 0;
  process.kill(kruise, "SIGSTOP");
  try {
    const next = await fresh.managers.start(READY);
    const { child, line } = await berthProcess(["--url", next.url, "router", "--router-port", "0"], /^router ready: invoke (\S+)/m);
    fresh.managers.children.push(child);
    const berth = new TestBerth({ invokeUrl: line[1] ?? "", manageUrl: next.url, close: async () => {} });
    await berth.deploy("hello", HELLO);
    const response = await berth.invoke("hello", { signal: AbortSignal.timeout(20_000) });
    expect([response.status, await response.text()]).toEqual([200, "hello"]);
    await until(() => /podunavailablebudgets\S+ within 5000 ms: an admission webhook may hang/.test(next.said()), "the budget is told", 20_000);
    expect(await new ManageClient(next.url).get("/v1/functions/hello")).toMatchObject({ revision: "r1" });
    process.kill(kruise, "SIGCONT");
    await until(() => next.said().includes("works again"), "the budget is written", 60_000);
    await fresh.view.kube.get(`/apis/policy.kruise.io/v1alpha1/namespaces/${fresh.namespace}/podunavailablebudgets/berth-instances`);
  } finally {
    process.kill(kruise, "SIGCONT");
  }
});
