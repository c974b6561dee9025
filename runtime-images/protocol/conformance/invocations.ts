import assert from "node:assert/strict";
import type { Echo } from "../messages.ts";
import { type Check, echo, HEADERS, invoke, load, loaded, sleep } from "./subject.ts";

/** Checks of the invocations that a worker runs, and of those that it refuses before user code. */
export const invocations: Check[] = [
  {
    name: "parks an invocation that arrives with the order, and runs it once the code has loaded",
    run: async (subject) => {
      const answer = await load(subject, "hello");
      assert.ok(answer.accepted && answer.echo.epoch === 1 && answer.echo.port);
      const response = await invoke(subject, answer.echo.port);
      assert.deepEqual([response.status, response.body], [200, "hello"]);
      assert.deepEqual(pick(await echo(subject)), { state: "warm", loaded: true, revision: "r1" });
    },
  },
  {
    // I2
    name: "refuses another function and another revision before user code runs",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      for (const headers of [{ ...HEADERS, "x-berth-function": "f2" }, { ...HEADERS, "x-berth-revision": "r0" }, {}]) {
        const response = await invoke(subject, port, { headers });
        assert.deepEqual([response.status, response.refused, response.body], [503, "stale", ""]);
      }
    },
  },
  {
    name: "refuses beyond its concurrency, and admits again when a slot is free",
    run: async (subject) => {
      const { port } = (await load(subject, "slow", { concurrency: 1 })).echo;
      await loaded(subject);
      const first = invoke(subject, port);
      await sleep(100);
      assert.equal((await invoke(subject, port)).refused, "full");
      assert.equal((await first).body, "slow");
      assert.equal((await invoke(subject, port)).body, "slow");
    },
  },
  {
    name: "runs what comes with the order's key alone, and keeps the key from the function, whose answer may show all headers",
    run: async (subject) => {
      const { port } = (await load(subject, "headers", {}, { key: "the-key" })).echo;
      const ask = (key: object) => invoke(subject, port, { headers: { ...HEADERS, ...key, "x-own": "1" } });
      for (const key of [{ "x-berth-key": "the-key" }, { "X-Berth-Key": "the-key" }]) {
        const { status, body } = await ask(key);
        assert.deepEqual([status, body.includes("x-own"), body.includes("the-key")], [200, true, false]);
      }
      assert.deepEqual([(await ask({})).refused, (await ask({ "x-berth-key": "another" })).refused], ["stale", "stale"]);
    },
  },
];

function pick({ state, loaded: isLoaded, revision }: Echo) {
  return { state, loaded: isLoaded, revision };
}
