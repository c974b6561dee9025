import assert from "node:assert/strict";
import { type Check, echo, HEADERS, invoke, load, loaded, sleep, until } from "./subject.ts";

/** Another revision of the function in the same instance. */
export const newRevision: Check[] = [
  {
    // I3
    name: "a new revision takes over in place, while the old worker finishes what runs on it",
    run: async (subject) => {
      const { port: old } = (await load(subject, "slow")).echo;
      await loaded(subject);
      const running = invoke(subject, old);
      await sleep(50);
      const answer = await load(subject, "hello", {}, { revision: "r2" });
      assert.ok(answer.accepted && answer.echo.epoch === 2);
      await loaded(subject);
      const { port } = await echo(subject);
      assert.notEqual(port, old);
      assert.equal((await running).body, "slow");
      assert.equal((await invoke(subject, port, { headers: { ...HEADERS, "x-berth-revision": "r2" } })).body, "hello");
      assert.equal((await invoke(subject, port)).refused, "stale");
    },
  },
  {
    name: "a new revision that does not load leaves the old one serving",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      await load(subject, "throws", {}, { revision: "r2" });
      await until(subject, (now) => now.state === "warm", 2000);
      const after = await echo(subject);
      assert.deepEqual([after.revision, after.epoch, after.error?.revision, after.port], ["r1", 2, "r2", port]);
      assert.equal((await invoke(subject, port)).body, "hello");
    },
  },
  {
    name: "a newer revision supersedes one that is still loading, and the load is no failure",
    run: async (subject) => {
      await load(subject, "hello");
      await loaded(subject);
      const { port: hanging } = (await load(subject, "hangs", {}, { revision: "r2", loadTimeoutMs: 60_000 })).echo;
      await until(subject, ({ port }) => port !== null, 5000);
      // Code that hangs may keep its process from answering.
      const parked = invoke(subject, hanging ?? (await echo(subject)).port, { headers: { ...HEADERS, "x-berth-revision": "r2" } }).then(
        ({ refused }) => refused,
        () => "draining",
      );
      const answer = await load(subject, "hello", {}, { revision: "r3", loadTimeoutMs: 60_000 });
      assert.deepEqual([answer.accepted, answer.echo.state, answer.echo.revision, answer.echo.epoch], [true, "specializing", "r3", 3]);
      await loaded(subject);
      const after = await echo(subject);
      assert.deepEqual([after.revision, after.error], ["r3", null]);
      assert.equal((await invoke(subject, after.port, { headers: { ...HEADERS, "x-berth-revision": "r3" } })).body, "hello");
      assert.equal(await parked, "draining");
    },
  },
  {
    name: "a superseded load does not take the older worker's place when the newer revision does not load either",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      await load(subject, "hangs", {}, { revision: "r2", loadTimeoutMs: 60_000 });
      await load(subject, "throws", {}, { revision: "r3" });
      await until(subject, (now) => now.state === "warm", 5000);
      const after = await echo(subject);
      assert.deepEqual([after.revision, after.error?.revision, after.port], ["r1", "r3", port]);
      assert.equal((await invoke(subject, port)).body, "hello");
    },
  },
  {
    name: "an order for the revision that serves beside a load ends the load, and returns to it at once",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      await load(subject, "hangs", {}, { revision: "r2", loadTimeoutMs: 60_000 });
      const { accepted, echo: now } = await load(subject, "hello");
      assert.deepEqual([accepted, now.state, now.revision, now.epoch, now.port, now.error], [true, "warm", "r1", 3, port, null]);
      assert.equal((await invoke(subject, port)).body, "hello");
      // The worker of the ended load is killed by then.
      await sleep(400);
      assert.deepEqual([(await echo(subject)).state, (await invoke(subject, port)).body], ["warm", "hello"]);
    },
  },
];
