import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { Standby } from "../../../../pool-manager/api/standby.ts";

test.each([
  ["nothing", null],
  ["no address", "somewhere"],
  ["an address of another kind", "ftp://10.0.0.1"],
  ["a host that there cannot be", "http://a b:1"],
  ["a leader that is gone", "http://127.0.0.1:1"],
])("a Lease that names %s as its leader leaves requests without one", async (_, url) => {
  const { app, ...standby } = started(url);
  const answers = await Promise.all(["GET", "PUT"].map((method) => app.inject({ method: method as "GET", url: "/v1/functions" })));
  expect(answers.map(({ statusCode, json }) => [statusCode, json().error.code])).toEqual(Array(2).fill([503, "NO_LEADER"]));
  expect((await app.inject("/readyz")).statusCode).toBe(standby.leader === null ? 503 : 200);
  await app.close();
});

test("requests go to the leader's origin, whatever follows it", () => {
  expect(started("http://127.0.0.1:1/v1/").leader).toBe("http://127.0.0.1:1");
});

function started(url: string | null) {
  const standby = new Standby(new Registry(), null, pino({ level: "silent" }));
  standby.follow(url);
  return { app: standby.app, leader: standby.leader };
}
