import { expect, test } from "vitest";
import { parseChange } from "../../../../../pool-manager/client/parse.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

test("an instance that has lost its address, as a pod whose sandbox cannot be made anew, is no endpoint, and routers understand the table", async () => {
  const rest = await Rest.reach();
  const lost = [...rest.platform.observe().instances.values()].find(({ echo }) => echo?.state === "warm")?.uid as string;
  rest.forge = (real) => ({ instances: new Map([...real].map(([uid, instance]) => [uid, uid === lost ? { ...instance, host: "" } : instance])) });
  const functions = await rest.takeOver();
  const instances = functions.flatMap(({ endpoints }) => endpoints.map(({ instanceUid }) => instanceUid));
  expect([instances.length, instances.includes(lost)]).toEqual([19, false]);
  expect(parseChange(JSON.stringify({ type: "snapshot", functions }))).toMatchObject({ type: "snapshot" });
});
