import { afterAll, describe, expect, test } from "vitest";
import { ControlClient } from "../../../../../../pool-manager/platform/control-client.ts";
import { FingerprintLog, fingerprintIn } from "../../../../../../pool-manager/platform/kruise/pods/fingerprint.ts";
import { PodConnection } from "../../../../../../pool-manager/platform/kruise/pods/pod-connection.ts";
import { CONTROL_PORT, type LoadOrder } from "../../../../../../runtime-images/protocol/messages.ts";
import { until } from "../../../../../helpers/berth.ts";
import { endSupervisors, LEADER_KEY, ownAddress, type Supervised, startSupervisor } from "../../../../../helpers/subjects/supervised.ts";

/** The API server's part: the pod's log, or why it is not shown. */
class Logs {
  readonly namespace = "test";
  log: string | Error = "";
  reads = 0;

  async text(_path: string, query: Record<string, string> = {}): Promise<string> {
    this.reads += 1;
    if (this.log instanceof Error) throw this.log;
    return Buffer.from(this.log).subarray(0, Number(query.limitBytes)).toString();
  }
}

const links: PodConnection[] = [];
afterAll(() => {
  for (const link of links.splice(0)) link.close();
  endSupervisors();
});

interface Linked {
  link: PodConnection;
  logs: Logs;
  /** `connected`, or the trouble, after each change. */
  changes: string[];
  /** Connections that have broken. */
  breaks(): number;
}

function connect(target: { uid: string; host: string; fingerprint?: string }, log: string | Error): Linked {
  const logs = new Logs();
  logs.log = log;
  const changes: string[] = [];
  let breaks = 0;
  const link: PodConnection = new PodConnection(
    logs,
    (instance) => new ControlClient({ ...instance, port: CONTROL_PORT, key: LEADER_KEY }),
    { name: "pod", fingerprint: null, ...target },
    {
      line: () => {},
      broken: () => {
        breaks += 1;
      },
      changed: () => changes.push(link.connected ? "connected" : String(link.trouble)),
    },
  );
  links.push(link);
  return { link, logs, changes, breaks: () => breaks };
}

const connected = ({ link }: Linked) => until(() => link.connected, "it is connected");

const order = (uid: string) => ({ uid, bootId: "another", epoch: 0 }) as LoadOrder;

describe("the fingerprint in a log", () => {
  const print = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase()).join(":");
  const other = print.replaceAll("1", "2");
  test.each([
    ["is the first line", `\u001econtrol ${print}\n`],
    ["comes after others' lines", `1\nwarning: x\n\u001econtrol ${print}\nmore\n`],
    ["follows a line without an end", `1\u001econtrol ${print}\n`],
    ["is not the one that user code prints later", `\u001econtrol ${print}\n\u001econtrol ${other}\n`],
    ["comes after one that is none", `\u001econtrol 12:34\n\u001econtrol ${print}:AA\n\u001econtrol ${print}\n`],
  ])("%s", (_what, log) => {
    expect(fingerprintIn(log)).toBe(print);
  });

  test.each(["", "1\n2\n", `control ${print}\n`, `\u001econtrol ${print.slice(0, 60)}`])("is not in %j", (log) => {
    expect(fingerprintIn(log)).toBeNull();
  });
});

test("logs behind a kubelet that does not answer delay no others, once that is known", async () => {
  const print = Array.from({ length: 32 }, () => "AA").join(":");
  let release = () => {};
  const known = new Promise<void>((resolve) => {
    release = resolve;
  });
  let reads = 0;
  const text = async () => {
    reads += 1;
    // The first one of each takes long enough to tell, further ones until the end.
    await (reads <= 30 ? new Promise((resolve) => setTimeout(resolve, 1100)) : known);
    throw new Error("no answer");
  };
  const logs = Array.from({ length: 30 }, (_, i) => new FingerprintLog({ namespace: "test", text }, `pod-${i}`));
  const ended = await Promise.allSettled(logs.map((log) => log.find()));
  expect(ended.map(({ status }) => status)).toEqual(logs.map(() => "rejected"));
  const again = Promise.allSettled(logs.map((log) => log.find()));
  const fresh = new FingerprintLog({ namespace: "test", text: async () => `\u001econtrol ${print}\n` }, "fresh");
  expect(await fresh.find()).toBe(print);
  release();
  await again;
});

describe("a link", () => {
  test("finds its instance in a log to which others have written before, and reports once that it is connected", async () => {
    const one = await startSupervisor("i1");
    const linked = connect({ uid: one.uid, host: one.host }, `${"x".repeat(20_000)}\n1${one.line}\n`);
    await connected(linked);
    expect([linked.changes, linked.link.trouble, linked.link.triedSince, linked.logs.reads]).toEqual([["connected"], null, null, 2]);
  });

  test("that cannot read the log says why, has not tried the instance, and keeps trying", async () => {
    const one = await startSupervisor("i1");
    const linked = connect({ uid: one.uid, host: one.host }, new Error("dial tcp 10.0.0.1:10250: i/o timeout"));
    await until(() => linked.logs.reads >= 3, "it has tried again");
    expect(linked.changes).toEqual(["the log cannot be read: dial tcp 10.0.0.1:10250: i/o timeout"]);
    expect(linked.link.triedSince).toBeNull();
    expect(() => linked.link.drain(0)).toThrow(/the log cannot be read/);
    linked.logs.log = "";
    await until(() => linked.changes.length === 2, "the log is there");
    linked.logs.log = "y".repeat(70_000);
    await until(() => linked.changes.length === 3, "the log is another one");
    expect(linked.changes.slice(1)).toEqual([expect.stringContaining("it is empty"), expect.stringContaining("rotated away")]);
    linked.logs.log = one.line;
    await connected(linked);
  });

  test("with a recorded fingerprint needs no log", async () => {
    const one = await startSupervisor("i1");
    const linked = connect(one, new Error("no kubelet"));
    await connected(linked);
    expect(linked.logs.reads).toBe(0);
  });

  test("to an address at which nothing listens says since when it tries", async () => {
    const before = performance.now();
    const linked = connect({ uid: "i1", host: ownAddress(), fingerprint: "AA" }, "");
    await until(() => linked.changes.length > 0, "it was refused");
    expect(linked.link.trouble).toMatch(/ECONNREFUSED/);
    const since = linked.link.triedSince ?? 0;
    expect(since).toBeGreaterThanOrEqual(before);
    await expect(linked.link.drain(0)).rejects.toMatchObject({ code: "UNREACHABLE" });
    await until(() => performance.now() - since > 1000, "it has been tried for a second");
    expect(() => linked.link.drain(0)).toThrow(/ECONNREFUSED/);
    expect([linked.link.triedSince, linked.breaks()]).toEqual([since, 0]);
  });

  test("follows its pod to another address, where the runtime has another certificate", async () => {
    const one = await startSupervisor("i1");
    const linked = connect(one, one.line);
    await connected(linked);
    const other = await startSupervisor("i1");
    linked.logs.log = other.line;
    linked.link.moved(other.host);
    expect([linked.link.connected, linked.link.triedSince === null]).toEqual([false, false]);
    await connected(linked);
    expect(linked.link.fingerprint).toBe(other.fingerprint);
    expect(linked.changes).toEqual(["connected", "null", expect.stringContaining("another certificate"), "connected"]);
    expect(linked.breaks()).toBe(0);
  });

  test("returns to the recorded fingerprint if another process showed a different one and the log is lost", async () => {
    const somebody = await startSupervisor("other");
    const one = await startSupervisor("i1");
    const linked = connect({ ...one, host: somebody.host }, "rotated\n");
    await until(() => linked.changes.some((change) => /another certificate.*; no fingerprint in the log/.test(change)), "it has looked for it");
    linked.link.moved(one.host);
    await connected(linked);
  });
});

describe.concurrent("an instance that is stopped, as if its network were cut", () => {
  async function stopped(): Promise<{ one: Supervised; linked: Linked }> {
    const one = await startSupervisor("i1");
    const linked = connect(one, one.line);
    await connected(linked);
    one.child.kill("SIGSTOP");
    return { one, linked };
  }

  test("is noticed within 5 s, and its return is noticed too", async () => {
    const { one, linked } = await stopped();
    const since = performance.now();
    await until(() => !linked.link.connected, "it is noticed");
    expect(performance.now() - since).toBeLessThan(5000);
    expect([linked.changes, linked.breaks()]).toEqual([["connected", "silent for 4 s"], 1]);
    one.child.kill("SIGCONT");
    await connected(linked);
    expect(linked.link.fingerprint).toBe(one.fingerprint);
  });

  test("delays one order by 2 s, and further ones not at all", async () => {
    const { linked } = await stopped();
    const since = performance.now();
    await expect(linked.link.load(order("i1"), new Uint8Array())).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(performance.now() - since).toBeLessThan(2300);
    await until(async () => {
      const from = performance.now();
      await expect(linked.link.load(order("i1"), new Uint8Array())).rejects.toMatchObject({ code: "UNREACHABLE" });
      return performance.now() - from < 50 && linked.link.connected;
    }, "its silence is known before the connection is given up");
  });
});
