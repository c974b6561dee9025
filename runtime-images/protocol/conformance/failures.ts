import assert from "node:assert/strict";
import { type Check, echo, invoke, load, loaded, until } from "./subject.ts";

/** Code that fails its instance, and how the instance tells. */
export const failures: Check[] = [
  {
    name: "code that throws fails the instance with its own words, which parked invocations get",
    run: async (subject) => {
      const { port } = (await load(subject, "throws")).echo;
      const response = await invoke(subject, port);
      assert.deepEqual([response.status, response.error], [502, "FUNCTION_LOAD_FAILED"]);
      assert.match(response.body, /boom at load/);
      // The answer comes before the failure is known.
      await until(subject, (now) => now.state === "failed", 2000);
      const failed = await echo(subject);
      assert.equal(failed.error?.reason, "load");
      assert.match(failed.error?.message ?? "", /boom at load/);
    },
  },
  {
    name: "code that does not finish loading ends at the load deadline",
    run: async (subject) => {
      await load(subject, "hangs", {}, { loadTimeoutMs: 300 });
      await until(subject, (now) => now.state === "failed", 1500);
      assert.equal((await echo(subject)).error?.reason, "timeout");
    },
  },
  {
    name: "a worker that ends by itself fails the instance",
    run: async (subject) => {
      const { port } = (await load(subject, "exits")).echo;
      await loaded(subject);
      // A worker beside the code's process can still answer; one that is that process cannot.
      const error = await invoke(subject, port).then(
        (answer) => answer.error,
        () => "FUNCTION_CRASHED",
      );
      assert.equal(error, "FUNCTION_CRASHED");
      await until(subject, (now) => now.error !== null, 2000);
      const { error: recorded } = await echo(subject);
      assert.deepEqual([recorded?.reason, recorded?.revision], ["crash", "r1"]);
    },
  },
  {
    name: "a worker that ends by itself right after it has answered is not held against its revision",
    run: async (subject) => {
      const { port } = (await load(subject, "exits")).echo;
      assert.equal((await invoke(subject, port, { path: "/ok" })).body, "ok");
      await invoke(subject, port).catch(() => {});
      await until(subject, (now) => now.error !== null, 2000);
      const { error } = await echo(subject);
      assert.deepEqual([error?.reason, error?.revision], ["crash", null]);
    },
  },
  {
    // A platform may kill a failed instance at once, and with it what has just been sent to it.
    name: "a worker that outlives its code refuses what comes next, and its instance drains",
    run: async (subject) => {
      const { port } = (await load(subject, "exits")).echo;
      await loaded(subject);
      const outlives = await invoke(subject, port).then(
        () => true,
        () => false,
      );
      if (!outlives) return;
      assert.equal((await invoke(subject, port)).refused, "draining");
      assert.equal((await echo(subject)).state, "draining");
    },
  },
];
