import assert from "node:assert/strict";
import { BEAT_HEADER } from "../messages.ts";
import { events } from "./event-lines.ts";
import { type Check, invoke, load } from "./subject.ts";

/** Checks of the event stream: its contents and its readers. */
export const eventStream: Check[] = [
  {
    name: "its event stream beats for whoever asks for it, while user code runs too, and for nobody else",
    run: async (subject) => {
      const plain = await events(subject, "/v1/events");
      const beating = await events(subject, "/v1/events?beats=1");
      const everyMs = Number(beating.headers[BEAT_HEADER]);
      assert.ok(everyMs >= 100 && everyMs <= 2000, `${BEAT_HEADER} is ${beating.headers[BEAT_HEADER]}`);
      assert.equal(plain.headers[BEAT_HEADER], undefined);
      const { port } = (await load(subject, "spins")).echo;
      void invoke(subject, port).catch(() => {});
      await beating.line((line) => line.beat === true);
      await beating.line((line) => line.beat === true);
      assert.ok(plain.lines.every((line) => "echo" in line));
      for (const stream of [plain, beating]) stream.end();
    },
  },
];
