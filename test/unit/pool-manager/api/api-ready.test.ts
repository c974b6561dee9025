import { pino } from "pino";
import { expect, test } from "vitest";
import type { ApiContext } from "../../../../pool-manager/api/context.ts";
import { buildApi } from "../../../../pool-manager/api/server.ts";

test("instances are not listed before the first complete observation: a list without them would say that they are gone", async () => {
  let ready = false;
  const context = {
    ready: () => ready,
    failed: () => {},
    onEvent: () => () => {},
    keys: null,
    links: { routes() {} },
    instances: () => ({ views: [], addressOf: () => null, now: 0 }),
  } as unknown as ApiContext;
  const api = await buildApi(context, pino({ enabled: false }));
  const list = async () => {
    const { statusCode, body } = await api.inject("/v1/instances");
    return [statusCode, JSON.parse(body).error?.code];
  };
  expect(await list()).toEqual([503, "NOT_READY"]);
  ready = true;
  expect(await list()).toEqual([200, undefined]);
  await api.close();
});
