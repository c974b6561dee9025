import { expect, test } from "vitest";
import { ReadWriteLock } from "../../../../pool-manager/async/read-write-lock.ts";

test("shared work runs together, exclusive work alone, in the order of arrival", async () => {
  const lock = new ReadWriteLock();
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    log.push(name);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const all = [lock.shared(work("a")), lock.shared(work("b")), lock.exclusive(work("X")), lock.shared(work("c")), lock.exclusive(work("Y"))];
  await turn();
  expect(log).toEqual(["a", "b"]);
  ends.shift()?.();
  await turn();
  expect(log).toEqual(["a", "b"]);
  ends.shift()?.();
  await turn();
  expect(log).toEqual(["a", "b", "X"]);
  ends.shift()?.();
  await turn();
  expect(log).toEqual(["a", "b", "X", "c"]);
  ends.shift()?.();
  await turn();
  ends.shift()?.();
  await Promise.all(all);
  expect(log).toEqual(["a", "b", "X", "c", "Y"]);
  await expect(lock.exclusive(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await lock.shared(async () => {});
});
