import { expect, test } from "vitest";
import { Rest } from "../../../../helpers/builders/rest.ts";

/** Instances of which an event says that they ended by themselves. */
const crashed = ({ events }: Rest) => events.flatMap((event) => (event.type === "instance.crashed" ? [event.instance] : []));

test("an instance that ends by itself is reported, and one that was asked to leave is not", async () => {
  const rest = await Rest.reach();
  const [one = ""] = rest.platform.uids().filter((uid) => rest.platform.life(uid)?.echo().state === "warm");
  rest.platform.crash(one);
  await rest.pass(100);
  expect(crashed(rest)).toEqual([one]);

  void rest.functions.remove("f");
  let there: string[] = [];
  for (let ms = 0; ms < 1000 && there.length === 0; ms++) {
    await rest.pass(1);
    const leaving = rest.events.flatMap((event) => (event.type === "instance.removing" && event.reason === "deleted-function" ? [event.instance] : []));
    there = leaving.filter((uid) => rest.platform.life(uid) !== undefined);
  }
  expect(there.length).toBeGreaterThan(0);
  for (const uid of there) rest.platform.restart(uid);
  await rest.pass(100);
  expect(crashed(rest)).toEqual([one]);
});
