import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { openLoop } from "../../../bench/driver.ts";
import { ManageClient } from "../../../cli/manage-client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { ANNOTATION } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";
import { berthProcess } from "../../helpers/routers.ts";
import { FreshManagers } from "../subject/fresh-managers.ts";
import type { Manager } from "../subject/managers.ts";

/** Until a standby has taken over and serves. */
const TAKEOVER_MS = 10_000;
const HELLO = "export default { fetch: () => new Response('hello') };";

const fresh = new FreshManagers();

/** The one that leads, the one that waits, and a router that knows the second alone. */
async function pair(): Promise<{ leader: Manager; standby: Manager; berth: TestBerth }> {
  const leader = await fresh.managers.start(/^berth ready/m);
  const standby = await fresh.managers.start(/another pool manager leads/);
  const { child, line } = await berthProcess(["--url", standby.url, "router", "--router-port", "0"], /^router ready: invoke (\S+)/m);
  fresh.managers.children.push(child);
  const berth = new TestBerth({ invokeUrl: line[1] ?? "", manageUrl: standby.url, close: async () => {} });
  return { leader, standby, berth };
}

const text = async (berth: TestBerth, name: string) => {
  const response = await berth.invoke(name, { signal: AbortSignal.timeout(TAKEOVER_MS + 5000) });
  return `${response.status} ${await response.text()}`;
};
const uids = async () => (await fresh.view.pods()).map(({ metadata }) => metadata.uid).sort();

/** Every write that carries a term has the present one, or one that was in force before. */
async function highestTerm(): Promise<number> {
  const objects = [...(await fresh.view.pods()), ...(await fresh.view.sets())];
  return Math.max(0, ...objects.map(({ metadata }) => Number(metadata.annotations?.[ANNOTATION.term] ?? 0)));
}

describe("two pool managers", () => {
  test("the standby passes requests on; when the leader is killed it serves within 10 s, and touches no instance", async () => {
    const { leader, standby, berth } = await pair();
    await berth.prewarmed(2);
    await berth.deploy("warm", HELLO);
    await berth.deploy("new", HELLO);
    expect(await text(berth, "warm")).toBe("200 hello");
    await until(async () => (await fresh.view.functionPods()).length === 1, "it is bound");
    await berth.prewarmed(2);
    const before = await uids();
    const failed: string[] = [];
    const url = `${berth.berth.invokeUrl}/function/warm`;
    const load = openLoop({
      rate: 50,
      count: 700,
      shot: () => ({ url }),
      onOutcome: ({ status, error }) => status !== 200 && failed.push(`${status} ${error}`),
    });
    await sleep(1000);
    leader.child.kill("SIGKILL");
    const from = performance.now();
    expect(await text(berth, "new")).toBe("200 hello");
    const tookMs = performance.now() - from;
    process.stdout.write(`a new function was served ${Math.round(tookMs)} ms after its leader was killed\n`);
    expect(tookMs).toBeLessThan(TAKEOVER_MS);
    await load;
    expect(failed).toEqual([]);
    expect(standby.said()).toContain("berth ready");
    expect(await new ManageClient(standby.url).get("/v1/functions/new")).toMatchObject({ revision: "r1" });
    expect(await uids()).toEqual(expect.arrayContaining(before));
    expect(await fresh.term()).toBe(2);
  });

  test("a leader that is stopped past its lease and goes on ends without having done anything", async () => {
    const { leader, standby, berth } = await pair();
    await berth.prewarmed(2);
    await berth.deploy("before", HELLO);
    expect(await text(berth, "before")).toBe("200 hello");
    leader.child.kill("SIGSTOP");
    await until(() => standby.said().includes("berth ready"), "the standby leads", TAKEOVER_MS);
    await berth.deploy("after", HELLO);
    expect(await text(berth, "after")).toBe("200 hello");
    await until(async () => (await fresh.view.functionPods()).length === 2, "both are bound");
    const before = await uids();
    const ended = once(leader.child, "exit");
    leader.child.kill("SIGCONT");
    const [code] = await ended;
    expect(code).toBe(1);
    expect(leader.said()).toMatch(/holds the Lease berth of namespace \S+ now, in term 2/);
    await sleep(1000);
    expect(await uids()).toEqual(expect.arrayContaining(before));
    expect(await text(berth, "before")).toBe("200 hello");
    expect(await highestTerm()).toBe(2);
    const path = `${RESOURCES}/namespaces/${fresh.namespace}/functions/after`;
    const resource = await fresh.view.kube.get<FunctionResource>(path);
    expect(resource.status?.term).toBe(2);
    const stale = { ...resource, status: { ...resource.status, term: 1, active: "r9" } };
    const refused = await fresh.view.kube.replace(`${path}/status`, stale).catch((error: KubeError) => error.message);
    expect(refused).toContain("an older leader's write");
  });

  test("a standby that is told to stop ends at once, and never leads", async () => {
    const { leader, standby } = await pair();
    const ended = once(standby.child, "exit");
    const from = performance.now();
    standby.child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(performance.now() - from).toBeLessThan(2000);
    leader.child.kill("SIGKILL");
    await once(leader.child, "exit");
    await sleep(TAKEOVER_MS);
    expect(await fresh.term()).toBe(1);
  });

  test("clocks that jump change nothing, and a leader that stops hands over at once", async () => {
    const { leader, standby, berth } = await pair();
    for (const renewTime of ["1970-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"]) {
      await fresh.view.kube.patch(fresh.leasePath, "merge", { spec: { renewTime } });
      await sleep(2500);
    }
    expect([leader.child.exitCode, await fresh.term()]).toEqual([null, 1]);
    const from = performance.now();
    leader.child.kill("SIGTERM");
    await until(() => standby.said().includes("berth ready"), "the standby leads", 3000);
    process.stdout.write(`the standby led ${Math.round(performance.now() - from)} ms after its leader was told to stop\n`);
    await berth.deploy("handed-over", HELLO);
    expect(await text(berth, "handed-over")).toBe("200 hello");
  });
});
