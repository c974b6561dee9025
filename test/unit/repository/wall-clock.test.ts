import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startRouter } from "../../../router/start.ts";
import { sleep } from "../../helpers/berth.ts";
import { routerConfig } from "../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../helpers/builders/table.ts";

/** Files that need the time of day: it is compared with times from elsewhere, or shown to people. */
const TIME_OF_DAY: Record<string, string> = {
  "cli/router.ts": "the time of a line of its log",
  "telemetry/prometheus-producer.ts": "the time of an export, for collectors",
  "pool-manager/kubernetes/client.ts": "until the API server has told its own",
  "pool-manager/kubernetes/exec-credential.ts": "until a credential expires, which its command says by the time of day",
  "pool-manager/platform/kruise/leader-election/leader-election.ts": "beside the monotonic clock, which stands still while the machine sleeps",
  "pool-manager/api/routes/functions.ts": "log lines since a time that a person names",
  "pool-manager/pool/sizing-parts.ts": "recorded claims are read after a restart, on another machine too",
  "pool-manager/schedules/schedules.ts": "schedules name times of day",
  "router/proxy/headers.ts": "a part of ids",
  "runtime-images/custom/runtime-api/runtime-api.ts": "the deadline of an invocation, which bootstraps are told by the time of day",
  "runtime-images/node/signatures/lambda-event.ts": "timeEpoch of API Gateway's events",
};

afterEach(() => vi.restoreAllMocks());

test("durations and deadlines are measured with performance.now(): the time of day can be set while something waits", () => {
  const parts = ["pool-manager", "router", "runtime-images", "telemetry", "cli"];
  const sources = parts.flatMap((part) => readdirSync(part, { recursive: true, encoding: "utf8" }).map((name) => join(part, name)));
  const own = sources.filter((path) => path.endsWith(".ts"));
  expect(own.length).toBeGreaterThan(100);
  const asking = own.filter((path) => /Date\.now\b|new Date\(\)\.(getTime|valueOf)|\+new Date\b/.test(readFileSync(path, "utf8")));
  expect(asking.sort()).toEqual(Object.keys(TIME_OF_DAY).sort());
});

test("a router that stops gives running invocations their time also when the clock is set forward", async () => {
  const instance = createServer((_req, res) => void setTimeout(() => res.end("whole"), 300)).listen(0, "127.0.0.1");
  await once(instance, "listening");
  const { port } = instance.address() as AddressInfo;
  const fn = tableFunction({ endpoints: [endpoint({ port })] });
  const router = await startRouter(routerConfig({ drainMs: 30_000 }), () => ({
    subscribe: (listener) => {
      listener({ type: "snapshot", functions: [fn] });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  }));
  const answer = fetch(`${router.url}/function/f`).then((response) => response.text());
  await once(instance, "request");
  const closed = router.close();
  await sleep(50);
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now() + 3_600_000);
  expect(await answer).toBe("whole");
  await closed;
  instance.close();
});
