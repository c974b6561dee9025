import { expect, test } from "vitest";
import { Sequencer, SequencerByKey } from "../../../../pool-manager/async/sequencer.ts";

/** Work that ends when it is told to. */
function work() {
  let [resolve, reject]: [(value: string) => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<string>((...ends) => {
    [resolve, reject] = ends;
  });
  return { promise, resolve, reject };
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a sequencer begins each piece of work when the one before has ended, also by a failure", async () => {
  const sequencer = new Sequencer();
  const begun: string[] = [];
  const first = work();
  const results = [
    sequencer.run(() => {
      begun.push("first");
      return first.promise;
    }),
    sequencer.run(async () => {
      begun.push("second");
      return "done";
    }),
  ];
  await turn();
  expect(begun).toEqual(["first"]);
  first.reject(new Error("failed"));
  expect(await Promise.allSettled(results)).toMatchObject([{ reason: { message: "failed" } }, { value: "done" }]);
  expect(begun).toEqual(["first", "second"]);
});

test("work of one key waits for that key alone", async () => {
  const sequencer = new SequencerByKey();
  const begun: string[] = [];
  const first = work();
  const run = (key: string, name: string, until: Promise<string>) =>
    sequencer.run(key, () => {
      begun.push(name);
      return until;
    });
  const blocked = run("a", "a1", first.promise);
  const behind = run("a", "a2", Promise.resolve("a2"));
  expect(await run("b", "b1", Promise.resolve("b1"))).toBe("b1");
  expect(begun).toEqual(["a1", "b1"]);
  first.resolve("a1");
  expect(await Promise.all([blocked, behind])).toEqual(["a1", "a2"]);
  expect(await run("a", "a3", Promise.resolve("a3"))).toBe("a3");
});
