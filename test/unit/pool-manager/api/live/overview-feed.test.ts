import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ApiContext } from "../../../../../pool-manager/api/context.ts";
import { Overview } from "../../../../../pool-manager/api/live/overview.ts";
import { OverviewFeed } from "../../../../../pool-manager/api/live/overview-feed.ts";
import type { TimedEvent } from "../../../../../pool-manager/event-log.ts";
import { instance, POOL } from "../../../../helpers/builders/world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function subject() {
  const world = { views: [instance("a"), instance("b")], looks: 0 };
  let emit: (event: TimedEvent) => void = () => {};
  const context = {
    version: "1",
    platform: "local",
    functions: { list: () => [], byUid: () => undefined, uses: () => true, find: () => undefined },
    pools: { list: () => [POOL] },
    statistics: { of: () => null },
    doubtOf: () => null,
    problemsOf: () => [],
    routerAddress: () => null,
    ready: () => true,
    instances: () => {
      world.looks += 1;
      return { views: world.views, placeOf: () => ({ node: "n1", address: null }), now: 7, demand: new Map() };
    },
    onEvent: (listener: typeof emit) => {
      emit = listener;
      return () => {};
    },
  } as unknown as ApiContext;
  return { world, feed: new OverviewFeed(new Overview(context)), emit: (event: TimedEvent) => emit(event) };
}

type Told = { type: string; instances?: unknown; events?: { seq: number }[] };

test("a follower gets everything, then what changes, at most five times a second", () => {
  const { world, feed, emit } = subject();
  emit({ type: "router.heard", router: "r", time: "" });
  const told: Told[] = [];
  const stop = feed.follow((message) => told.push(message));
  expect(told[0]).toMatchObject({ type: "snapshot", status: { router: false }, pools: [{ id: "node", size: 2 }], events: [{ seq: 1 }] });
  expect(told[0]?.instances).toMatchObject([{ id: "a", node: "n1" }, { id: "b" }]);
  // The last one of several changes between two checks is sent.
  world.views = [instance("b", { state: "specializing" })];
  world.views = [instance("b", { state: "warm", functionUid: "gone" })];
  emit({ type: "router.heard", router: "s", time: "" });
  vi.advanceTimersByTime(200);
  expect(told.slice(1)).toMatchObject([
    { type: "changes", instances: { set: [{ id: "b", state: "warm", function: "gone" }], gone: ["a"] }, events: [{ seq: 2 }] },
  ]);
  vi.advanceTimersByTime(400);
  expect(told.length).toBe(2);
  // A sign of life each second, without any change.
  vi.advanceTimersByTime(400);
  expect(told[2]).toEqual({ type: "changes", now: 7, status: expect.anything() });
  stop();
});

test("nobody looks while nobody follows, and a late follower gets what is there by then", () => {
  const { world, feed } = subject();
  const stop = feed.follow(() => {});
  stop();
  const { looks } = world;
  vi.advanceTimersByTime(5000);
  expect(world.looks).toBe(looks);
  world.views = [];
  const told: Told[] = [];
  const end = feed.follow((message) => told.push(message));
  expect(told[0]?.instances).toEqual([]);
  end();
});

test("a second follower begins with what the first one was told", () => {
  const { world, feed } = subject();
  const first: Told[] = [];
  const second: Told[] = [];
  const stop = feed.follow((message) => first.push(message));
  world.views = [instance("c")];
  const end = feed.follow((message) => second.push(message));
  vi.advanceTimersByTime(200);
  expect(second[0]?.instances).toMatchObject([{ id: "a" }, { id: "b" }]);
  expect(second[1]?.instances).toMatchObject({ set: [{ id: "c" }], gone: ["a", "b"] });
  expect(first.length).toBe(2);
  stop();
  end();
});

test("followers are bounded", () => {
  const { feed } = subject();
  const stops = Array.from({ length: 32 }, () => feed.follow(() => {}));
  expect(feed.isFull).toBe(true);
  stops.pop()?.();
  expect(feed.isFull).toBe(false);
  for (const stop of stops) stop();
});
