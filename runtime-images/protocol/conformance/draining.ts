import assert from "node:assert/strict";
import { type Check, control, echo, invoke, load, loaded, sleep } from "./subject.ts";

/** Routers know that an instance drains within this time, and send it nothing more. */
const KNOWN_MS = 250;

/** The end of an instance that was told to drain. */
export const draining: Check[] = [
  {
    name: "a draining instance refuses further invocations, finishes its own, and ends",
    run: async (subject) => {
      const { port } = (await load(subject, "slow")).echo;
      await loaded(subject);
      const running = invoke(subject, port);
      await sleep(50);
      await control(subject, "POST", "/v1/drain?deadlineMs=2000");
      assert.equal((await invoke(subject, port)).refused, "draining");
      assert.equal((await running).body, "slow");
      await assert.rejects(async () => {
        for (let i = 0; i < 100; i++) {
          await echo(subject);
          await sleep(20);
        }
      });
    },
  },
  {
    name: "an instance that drains breaks off no invocation that comes while routers do not know yet",
    run: async (subject) => {
      const { port } = (await load(subject, "hello")).echo;
      await loaded(subject);
      const drained = control(subject, "POST", "/v1/drain?deadlineMs=2000");
      const invocations: Promise<string>[] = [];
      for (const end = performance.now() + KNOWN_MS; performance.now() < end; await sleep(1)) {
        invocations.push(
          invoke(subject, port).then(
            ({ body, refused }) => refused ?? body,
            (error: NodeJS.ErrnoException) => error.code ?? error.message,
          ),
        );
      }
      await drained;
      assert.deepEqual(
        [...new Set(await Promise.all(invocations))].filter((fate) => fate !== "hello"),
        ["draining"],
      );
    },
  },
];
