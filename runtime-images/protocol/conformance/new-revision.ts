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
];
