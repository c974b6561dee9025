import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import { openLoop } from "../../../bench/driver.ts";
import { ON_CLUSTER, TEST_HOST, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
afterEach(() => berth.close());

/** Tells each invocation's id before it answers: what ran is known there. */
const RECORDER = `export default { async fetch(request, env) {
  const id = await request.text();
  await (await fetch(env.RECORD + id)).text();
  return new Response(env.REV + " " + id);
} };`;

const recorded: string[] = [];
const recorder = createServer((req, res) => {
  recorded.push((req.url ?? "").slice(1));
  res.end();
}).listen(0, TEST_HOST);
afterAll(() => recorder.close());

/** Each takes a third of a second: `npm test` has some, CI runs 100. */
const REVISIONS = Number(process.env.BERTH_TEST_REVISIONS ?? (ON_CLUSTER ? 100 : 15));

// I3, I8, I13
test(`${REVISIONS} revisions in place under open-loop POSTs: no reset, none lost, none doubled, none by an older revision`, async () => {
  berth = await TestBerth.start({ poolSize: 1 });
  const record = `http://${TEST_HOST}:${(recorder.address() as AddressInfo).port}/`;
  const code = await berth.upload(RECORDER);
  const deploy = (rev: number) => berth.api.call("PUT", "/v1/functions/rolling", { code, env: { RECORD: record, REV: String(rev) }, maxScale: 1 });
  await deploy(0);
  expect(await (await berth.invoke("rolling", { method: "POST", body: "first" })).text()).toBe("0 first");
  const [instance] = (await berth.instances()).filter((candidate) => candidate.function === "rolling");

  let acknowledged = 0;
  let rolling = true;
  const rollout = (async () => {
    for (let rev = 1; rev <= REVISIONS; rev++) {
      await deploy(rev);
      acknowledged = rev;
      await until(async () => {
        const own = (await berth.instances()).find((candidate) => candidate.uid === instance?.uid);
        return own?.revision === `r${rev + 1}` && own.state === "warm";
      }, `revision ${rev} is loaded`);
    }
    rolling = false;
  })();

  const wrong: string[] = [];
  const ids: string[] = [];
  while (rolling) {
    const floor = new Map<number, number>();
    const batch = `b${ids.length}`;
    await openLoop({
      rate: 60,
      count: 120,
      seed: ids.length + 1,
      shot: (i) => {
        floor.set(i, acknowledged);
        ids.push(`${batch}-${i}`);
        return { url: `${berth.berth.invokeUrl}/function/rolling`, body: `${batch}-${i}` };
      },
      onOutcome: ({ status, body, error }, i) => {
        const [rev, id] = body.split(" ");
        if (error || status !== 200 || id !== `${batch}-${i}` || Number(rev) < (floor.get(i) ?? 0)) {
          wrong.push(`${batch}-${i}: ${status} ${error ?? ""} ${body.slice(0, 200)} (at least ${floor.get(i)})`);
        }
      },
    });
  }
  await rollout;
  expect(wrong).toEqual([]);
  expect([...recorded].sort()).toEqual(["first", ...ids].sort());
  const after = (await berth.instances()).filter((candidate) => candidate.function === "rolling");
  expect(after).toMatchObject([{ uid: instance?.uid, revision: `r${REVISIONS + 1}`, epoch: REVISIONS + 1 }]);
}, 300_000);
