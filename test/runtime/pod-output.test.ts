import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { digestOf } from "../../pool-manager/images/oci.ts";
import { ControlClient } from "../../pool-manager/platform/control-client.ts";
import { CONTROL_PORT, type Echo, LOG_MARK } from "../../runtime-images/protocol/messages.ts";
import { until } from "../helpers/berth.ts";
import { endSupervisors, LEADER_KEY, startSupervisor } from "../helpers/subjects/supervised.ts";

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SOURCE = "console.log('loads'); export default (req, res) => { console.error('runs'); res.end('ok'); };";

afterAll(endSupervisors);

test("in a pod, functions' output is JSON lines on the container's output, and goes to the pool manager as it was captured", async () => {
  const { child, host, fingerprint, uid } = await startSupervisor("pod-1");
  const printed: Record<string, unknown>[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => printed.push(JSON.parse(line)));
  const control = new ControlClient({ host, port: CONTROL_PORT, fingerprint, uid, key: LEADER_KEY });
  let echo: Echo | undefined;
  const followed: string[] = [];
  control.follow((line) => {
    if (line.log === undefined) echo = line.echo;
    else followed.push(line.log);
  });
  await until(() => echo?.state === "prewarmed", "it is prewarmed");
  const { bootId, epoch } = echo as Echo;
  const code = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(SOURCE) }], "function/");
  const digest = digestOf(code);
  const settings = { entry: "index.mjs", handler: null, signature: null, concurrency: 10, timeoutMs: 5000 };
  const target = { uid, bootId, epoch, functionUid: "f1", functionName: "shop", revision: "r1", digest, key: null, term: 1, loadTimeoutMs: 5000, env: {} };
  await control.load({ ...target, source: { kind: "inline", archive: digest }, settings }, code);
  await until(() => echo?.state === "warm", "it has loaded");
  const headers = { "x-berth-function": "f1", "x-berth-revision": "r1", "x-call-id": "c-1", traceparent: TRACEPARENT };
  await fetch(`http://${host}:${echo?.port}/`, { headers });
  await until(() => printed.length === 2 && followed.length === 2, "both lines");
  const origin = { function: "shop", revision: "r1", instance: "pod-1", time: expect.any(String) };
  const [, trace_id, span_id] = TRACEPARENT.split("-");
  expect(printed).toEqual([
    { ...origin, level: "info", message: "loads", callId: null },
    { ...origin, level: "error", message: "runs", callId: "c-1", trace_id, span_id },
  ]);
  expect(followed.map((line) => JSON.parse(line.slice(LOG_MARK.length)))).toEqual([
    { c: null, s: "out", m: "loads" },
    { c: "c-1", s: "err", m: "runs", t: TRACEPARENT },
  ]);
  control.close();
}, 30_000);
