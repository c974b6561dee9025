import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KubeError } from "../../../../pool-manager/kubernetes/error.ts";
import { type Change, Informer } from "../../../../pool-manager/kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../../pool-manager/kubernetes/objects.ts";
import { metadata } from "../../../helpers/builders/objects.ts";
import { unreachable, WatchedServer } from "../../../helpers/servers/watched-server.ts";

let server: WatchedServer;
let reflector: Informer<KubeObject>;
let changes: string[];
let resets: number;

const told = ({ type, object }: Change<KubeObject>) => `${type} ${object.metadata.uid}@${object.metadata.resourceVersion}`;
const known = () => [...reflector.all()].map(({ metadata }) => metadata.uid).sort();
const soon = () => vi.advanceTimersByTimeAsync(500);

beforeEach(async () => {
  vi.useFakeTimers();
  server = new WatchedServer();
  changes = [];
  resets = 0;
  reflector = new Informer(server, { path: "/things", onChange: (change) => changes.push(told(change)), onHistoryReset: () => resets++ });
  server.put("a");
  server.put("b");
  await reflector.start();
  changes.length = 0;
});
afterEach(() => {
  reflector.close();
  vi.useRealTimers();
});

describe("a watch that breaks off", () => {
  test("resumes where it was, so that a deletion meanwhile is reported as one", async () => {
    server.cut(unreachable());
    await soon();
    expect([server.lists, server.since]).toEqual([1, ["102", "102"]]);
    server.remove("a");
    expect(changes).toEqual(["deleted a@103"]);
  });

  test("is followed by a listing if the server has another history now: the listing replaces what was known", async () => {
    server.put("c");
    server.put("a");
    server.silently(() => {
      server.objects.delete("c");
      server.objects.set("a", { metadata: metadata("a", { uid: "a", resourceVersion: "90" }) });
      server.version = 95;
    });
    changes.length = 0;
    server.cut(unreachable());
    await soon();
    expect([known(), resets]).toEqual([["a", "b"], 1]);
    expect(changes).toEqual(["missing c@103", "present a@90"]);
    expect(reflector.get("a")?.metadata.resourceVersion).toBe("90");
    expect(server.since.at(-1)).toBe("95");
    // Writes in the new history are observed, though their versions were used before.
    server.put("late");
    expect(changes.at(-1)).toBe("present late@96");
  });

  test("finds another history also if the watch ended in order", async () => {
    server.silently(() => {
      server.version = 50;
    });
    await vi.advanceTimersByTimeAsync(2000);
    server.cut();
    await soon();
    expect([resets, server.since.at(-1)]).toEqual([1, "50"]);
  });

  test("again and again is opened again after pauses", async () => {
    for (let i = 0; i < 200; i++) {
      server.cut();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(server.since.length).toBeLessThan(12);
  });
});

describe("a listing follows", () => {
  const gone = () => server.silently(() => server.remove("a"));
  const expired = { kind: "Status", metadata: {}, code: 410, message: "too old resource version" };

  test.each<[string, () => void]>([
    ["410 as an event", () => server.say("ERROR", expired)],
    ["an error of another code as an event", () => server.say("ERROR", { ...expired, code: 500, message: "etcd event received with PrevKv=nil" })],
    ["410 as an answer", () => server.cut(new KubeError(410, "Expired", "too old resource version"))],
    ["504: a version that the server does not have yet", () => server.cut(new KubeError(504, "Timeout", "Too large resource version"))],
    ["a refusal", () => server.cut(new KubeError(403, "Forbidden", "not now"))],
    ["a line that is no JSON", () => server.raw("<html>")],
    ["half a line", () => server.raw('{"type":"MODIFIED","object":{"metadata":{"name":"b"')],
    ["a line that says nothing", () => server.raw("null")],
    ["an event without an object", () => server.raw('{"type":"ADDED"}')],
    ["an object without a version", () => server.say("MODIFIED", { metadata: { name: "b", uid: "b" } })],
    ["a version that is no number", () => server.say("MODIFIED", { metadata: { name: "b", uid: "b", resourceVersion: "v7-1" } })],
    ["an object without a name", () => server.say("MODIFIED", { metadata: { resourceVersion: "900" } })],
    ["an event of a type that is not known", () => server.say("RENAMED", { metadata: { name: "a", uid: "a", resourceVersion: "900" } })],
    ["an event of an earlier version than the last one", () => server.say("MODIFIED", { metadata: { name: "b", uid: "b", resourceVersion: "7" } })],
  ])("%s", async (_what, happens) => {
    gone();
    happens();
    await soon();
    expect([server.lists, known(), changes]).toEqual([2, ["b"], ["missing a@101"]]);
    expect(server.watches).toBe(1);
  });

  test("five minutes without a visible fault", async () => {
    gone();
    server.silently(() => server.put("c"));
    const cutting = setInterval(() => server.cut(), 40_000);
    await vi.advanceTimersByTimeAsync(400_000);
    clearInterval(cutting);
    expect([server.lists, known()]).toEqual([2, ["b", "c"]]);
  });

  test("silence that lasts longer than a watch: the same history continues, without a listing", async () => {
    await vi.advanceTimersByTimeAsync(50_000);
    expect([server.lists, server.since.length, server.watches]).toEqual([1, 2, 1]);
  });
});

test("the known objects stay while the server refuses everything, and the pauses grow", async () => {
  server.refusal = new KubeError(404, "NotFound", "the server could not find the requested resource");
  server.cut(server.refusal);
  const asked = vi.spyOn(server, "get");
  await vi.advanceTimersByTimeAsync(60_000);
  expect([known(), reflector.synced, changes]).toEqual([["a", "b"], true, []]);
  expect(asked.mock.calls.length).toBeLessThan(30);
  server.refusal = null;
  await vi.advanceTimersByTimeAsync(8000);
  server.put("c");
  expect(known()).toEqual(["a", "b", "c"]);
});

describe("outdated knowledge", () => {
  let told: (string | null)[];
  beforeEach(() => {
    told = [];
    server.onListing = (_plural, message) => told.push(message);
  });
  const forbidden = new KubeError(403, "Forbidden", "not allowed");

  test("is reported once if listings are refused, and so is its end", async () => {
    server.refusal = forbidden;
    server.cut();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(told).toEqual(["not allowed; it is tried again"]);
    server.refusal = null;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(told).toEqual(["not allowed; it is tried again", null]);
  });

  test.each<[string, () => void]>([
    ["are refused", () => server.cut(forbidden)],
    ["end with an error each time", () => server.say("ERROR", { metadata: {}, code: 500 })],
  ])("is listed again after pauses, and reported, if only watches %s", async (_what, happens) => {
    const spy = vi.spyOn(server, "stream");
    spy.mockImplementation((...of) => {
      const end = WatchedServer.prototype.stream.apply(server, of);
      setTimeout(happens, 5);
      return end;
    });
    server.cut(forbidden);
    await vi.advanceTimersByTimeAsync(120_000);
    server.silently(() => server.put("c"));
    await vi.advanceTimersByTimeAsync(8000);
    expect(server.lists).toBeLessThan(50);
    expect([known(), told.length]).toEqual([["a", "b", "c"], 1]);
    spy.mockRestore();
    await vi.advanceTimersByTimeAsync(15_000);
    expect([told.at(-1), server.watches]).toEqual([null, 1]);
  });

  test("is not replaced by an answer that is no listing", async () => {
    vi.spyOn(server, "get").mockResolvedValue({ metadata: {}, items: [] } as never);
    server.cut(forbidden);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([known(), changes, told.length]).toEqual([["a", "b"], [], 1]);
  });
});

test("an object from the answer to a write does not count as missing if a listing lacks it", async () => {
  const get = server.get.bind(server);
  const made = { metadata: metadata("new", { uid: "new", resourceVersion: "104" }) };
  vi.spyOn(server, "get").mockImplementation(async (path: string, query?: Record<string, string>) => {
    const answer = await get(path, query);
    if (query?.limit !== "1") reflector.learn(made);
    return answer as never;
  });
  server.say("ERROR", { metadata: {}, code: 410 });
  await soon();
  expect([known(), changes]).toEqual([["a", "b", "new"], ["present new@104"]]);
});

test("an object that was deleted is believed to be back when a listing has it", async () => {
  const before = server.objects.get("a") as KubeObject;
  server.remove("a");
  reflector.learn(before);
  expect(known()).toEqual(["b"]);
  server.silently(() => {
    server.objects.set("a", before);
    server.version = 101;
  });
  server.cut(unreachable());
  await soon();
  expect(known()).toEqual(["a", "b"]);
});

test("another object of the same name takes the place of the one that was known, which is missing", async () => {
  server.silently(() => server.put("a", "a2"));
  server.say("ERROR", { metadata: {}, code: 410 });
  await soon();
  expect(changes).toEqual(["missing a@101", "present a2@103"]);
});
