import assert from "node:assert/strict";
import type { LoadAnswer } from "../messages.ts";
import { type Check, echo, invoke, load, loaded, readyEcho } from "./subject.ts";

/** Checks of the load orders that an instance accepts, and of their effects. */
export const orders: Check[] = [
  {
    name: "is prewarmed with epoch 0 and no function",
    run: async (subject) => {
      const echo = await readyEcho(subject);
      assert.deepEqual([echo.state, echo.epoch, echo.functionUid, echo.revision, echo.loaded], ["prewarmed", 0, null, null, false]);
      assert.ok(echo.bootId.length > 8);
    },
  },
  {
    name: "refuses orders for another uid, boot, epoch, term or function",
    run: async (subject) => {
      const before = await readyEcho(subject);
      assert.equal(refusal(await load(subject, "hello", {}, { uid: "other" })), "uid");
      assert.equal(refusal(await load(subject, "hello", {}, { bootId: "other" })), "boot");
      assert.equal(refusal(await load(subject, "hello", {}, { epoch: 3 })), "epoch");
      assert.equal((await echo(subject)).epoch, before.epoch);
      await load(subject, "hello", {}, { term: 2 });
      await loaded(subject);
      assert.equal(refusal(await load(subject, "hello", {}, { term: 1 })), "term");
      assert.equal(refusal(await load(subject, "hello", {}, { term: 2, functionUid: "f2" })), "function");
    },
  },
  {
    name: "environment arrives with the order",
    run: async (subject) => {
      const { port } = (await load(subject, "env", {}, { env: { GREETING: "hi there" } })).echo;
      assert.equal((await invoke(subject, port)).body, "hi there");
    },
  },
];

function refusal(answer: LoadAnswer): string {
  return answer.accepted ? "accepted" : answer.refusal;
}
