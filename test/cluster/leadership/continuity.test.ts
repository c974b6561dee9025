import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundle } from "../../../cli/bundle/bundle.ts";
import { defaultPace } from "../../../pool-manager/config.ts";
import { sleep, TestBerth, until } from "../../helpers/berth.ts";
import { BERTH, berthProcess } from "../../helpers/routers.ts";
import { InFlight, SLOW, STREAM } from "../load/in-flight.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { ended, type Manager, Managers, type Seat } from "../subject/managers.ts";
import { PodWatch } from "../subject/pod-watch.ts";
import { clusterConfig, deleteNamespace, freshNamespace } from "../subject/subject.ts";

const SIZE = 2;
const SLOW_FUNCTIONS = ["slow-a", "slow-b"];
const FUNCTIONS = [...SLOW_FUNCTIONS, "stream", "socket"];
const ALTERNATIONS = 10;
const READY = /^berth ready/m;
const WAITS = /another pool manager leads/;
/** Until a standby leads whose leader was killed. */
const TAKEOVER_MS = 20_000;
/** A router that stops ends what still runs on it no sooner than this. */
const ROUTER_DRAIN_MS = 30_000;
/** Until a client knows that a router's connections have ended. */
const LAG_MS = 2000;
const { startTimeoutMs } = defaultPace({ kind: "kruise", ...clusterConfig("") });
/** The minimum age of every instance before the first fault; BERTH_TEST_MINUTES raises it. */
const AGE_MS = Math.max(startTimeoutMs + 1000, Number(process.env.BERTH_TEST_MINUTES ?? 0) * 60_000);

/** The build of Berth that is there first, and takes turns with this one: an upgrade, a rollback, an upgrade. BERTH_TEST_OTHER names another than this one. */
const OTHER = process.env.BERTH_TEST_OTHER ?? BERTH;

let namespace: string;
let view: ClusterView;
let managers: Managers;
let pods: PodWatch;
const rows: string[] = [];

beforeEach(async () => {
  namespace = freshNamespace();
  view = await ClusterView.open(namespace);
  managers = new Managers(namespace);
});
afterEach(async () => {
  managers.killAll();
  pods?.close();
  view.close();
  await deleteNamespace(namespace);
});

/** A pool manager that leads, one that waits, and a router of each. */
class Installation {
  readonly seats: readonly [Seat, Seat];
  leader: Manager;
  standby: Manager;
  #leads: 0 | 1 = 0;
  #starts = 0;
  /** All that there have been. */
  readonly all: Manager[];

  private constructor(seats: readonly [Seat, Seat], leader: Manager, standby: Manager) {
    this.seats = seats;
    this.leader = leader;
    this.standby = standby;
    this.all = [leader, standby];
  }

  static async start(): Promise<Installation> {
    const seats = [await managers.seat(), await managers.seat()] as const;
    return new Installation(seats, await managers.start(READY, SIZE, seats[0], OTHER), await managers.start(WAITS, SIZE, seats[1], OTHER));
  }

  /** Both end, the leader last, and are started again where they were. */
  async restart(): Promise<void> {
    expect(await ended(this.standby.child, "SIGTERM")).toBe(0);
    expect(await ended(this.leader.child, "SIGTERM")).toBe(0);
    this.leader = await managers.start(READY, SIZE, this.seats[this.#leads], this.#next());
    this.standby = await managers.start(WAITS, SIZE, this.seats[1 - this.#leads], this.#next());
    this.all.push(this.leader, this.standby);
  }

  /** The leader ends, the one that waits leads, and another one waits in the former one's place. */
  async alternate(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const exit = once(this.leader.child, "exit");
    this.leader.child.kill(signal);
    await until(() => READY.test(this.standby.said()), "the standby leads", TAKEOVER_MS);
    await exit;
    const seat = this.seats[this.#leads];
    this.#leads = this.#leads === 0 ? 1 : 0;
    this.leader = this.standby;
    this.standby = await managers.start(WAITS, SIZE, seat, this.#next());
    this.all.push(this.standby);
  }

  /** The program of the next pool manager. */
  #next(): string {
    return this.#starts++ % 2 === 0 ? BERTH : OTHER;
  }
}

async function startRouter(manager: Manager, program = BERTH): Promise<{ url: string; stop: () => Promise<void>; leaves: () => Promise<boolean> }> {
  const args = ["--url", manager.url, "router", "--router-port", "0"];
  const { child, line } = await berthProcess(args, /^router ready: invoke (\S+) admin (\S+)$/m, 20_000, program);
  managers.children.push(child);
  const [, url = "", admin = ""] = line;
  await until(async () => (await fetch(`${admin}/readyz`)).ok, "the router has a table");
  const exit = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await exit;
  };
  return { url, stop, leaves: async () => !(await fetch(`${admin}/readyz`).catch(() => ({ ok: false }))).ok };
}

async function deployAll(berth: TestBerth): Promise<void> {
  // Nothing scales and nothing is idle: any change of an instance is a mistake.
  const settings = { concurrency: 100, maxScale: 1, idleTimeout: "1h", timeout: "60s" };
  for (const name of SLOW_FUNCTIONS) await berth.deploy(name, SLOW, settings);
  await berth.deploy("stream", STREAM, settings);
  const code = await berth.api.upload(await bundle("examples/websocket"));
  await berth.api.call("PUT", "/v1/functions/socket", { ...settings, code });
  for (const name of FUNCTIONS) expect((await berth.invoke(name)).status).toBe(200);
}

/** The leader's list of instances once it has heard them all. */
async function settled(url: string): Promise<void> {
  const berth = new TestBerth({ invokeUrl: "", manageUrl: url, close: async () => {} });
  await until(async () => {
    const states = (await berth.instances()).map(({ state }) => state);
    const count = (state: string) => states.filter((one) => one === state).length;
    return count("prewarmed") === SIZE && count("warm") === FUNCTIONS.length;
  }, "the leader knows the instances");
}

const removals = async (url: string) => (await (await fetch(`${url}/metrics`)).text()).match(/^berth_instances_removed_total\{.* [1-9]\d*$/gm) ?? [];

test("whoever leads, however often that changes, no instance older than every timeout ends, and nothing in flight fails", {
  timeout: 150_000 + AGE_MS,
}, async () => {
  const installation = await Installation.start();
  const [first, second] = [await startRouter(installation.leader, OTHER), await startRouter(installation.standby)];
  const berth = new TestBerth({ invokeUrl: first.url, manageUrl: installation.leader.url, close: async () => {} });
  await berth.prewarmed(SIZE);
  await deployAll(berth);
  await until(async () => (await view.functionPods()).length === FUNCTIONS.length, "all are bound");
  await settled(installation.leader.url);
  // Surplus instances that were started while functions waited are removed first.
  await until(async () => (await view.instancePods()).length === FUNCTIONS.length + SIZE, "the pool is at rest", 20_000);
  pods = await PodWatch.open(view);
  const before = pods.uids;
  expect([before.all.length, before.free.length]).toEqual([FUNCTIONS.length + SIZE, SIZE]);
  const load = new InFlight({ slow: SLOW_FUNCTIONS, stream: "stream", socket: "socket" }, [first.url, second.url]);

  const during = async (what: string, act: () => Promise<void>) => {
    const [from, { ended: endedBefore }] = [performance.now(), load.tally];
    await act();
    await settled(installation.leader.url);
    const { ended: endedNow, begun, failures } = load.tally;
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    rows.push(`| ${what} | ${seconds} | ${endedNow - endedBefore} | ${begun - endedNow} | ${failures.length} | ${pods.most} | ${pods.ended.length} |`);
    expect([what, await removals(installation.leader.url), pods.ended, pods.came, failures]).toEqual([what, [], [], [], []]);
  };

  const youngest = Math.max(...(await view.instancePods()).map(({ metadata }) => Date.parse(metadata.creationTimestamp)));
  await during("until all are old", () => sleep(Math.max(0, youngest + AGE_MS - Date.now())));
  await during("restart, with nobody in between", () => installation.restart());
  await during("the leader is killed", () => installation.alternate("SIGKILL"));
  const third = await startRouter(installation.leader);
  load.join(third.url);
  const leftAt = performance.now();
  const stopped = first.stop().then(() => performance.now());
  await until(first.leaves, "the router says that it leaves");
  load.leave(first.url);
  for (let i = 1; i <= ALTERNATIONS; i++) await during(`alternation ${i}, a router leaves meanwhile`, () => installation.alternate("SIGTERM"));
  await during("the router has ended", async () => void (await stopped));
  const endedAt = await stopped;
  await load.end();
  const { begun, ended: all, failures, sockets, socketEnds } = load.tally;
  rows.push(`| all | | ${all} | ${begun - all} | ${failures.length} | ${pods.most} | ${pods.ended.length} |`);
  process.stdout.write(
    `| pods ${AGE_MS / 1000} s old | seconds | invocations ended | in flight | failed | most pods | pods ended |\n|-|-|-|-|-|-|-|\n${rows.join("\n")}\n`,
  );
  expect(failures).toEqual([]);
  expect(pods.uids).toEqual(before);
  // WebSockets last as long as the router that they came to, and the one that owns their function's slots; then they are opened again.
  expect(socketEnds.length).toBeGreaterThanOrEqual(2);
  for (const at of socketEnds) expect(at > leftAt + ROUTER_DRAIN_MS && at < endedAt + LAG_MS).toBe(true);
  expect(sockets).toBe(4);
  expect(pods.most).toBe(FUNCTIONS.length + SIZE);
  for (const { said } of installation.all) expect(said()).not.toMatch(/instance\.removing/);
});
