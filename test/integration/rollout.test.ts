import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openLoop } from "../../bench/driver.ts";
import { TestBerth, until } from "../helpers/berth.ts";

let berth: TestBerth;
afterEach(() => berth.close());

/** Appends each invocation's id to a file before it answers: what ran, ran there. */
const RECORDER = `import { appendFileSync } from "node:fs";
export default { async fetch(request, env) {
  const id = await request.text();
  appendFileSync(env.RECORD, id + "\\n");
  return new Response(env.REV + " " + id);
} };`;

test("100 revisions in place under open-loop POSTs: no reset, none lost, none doubled, none by an older revision", async () => {
  berth = await TestBerth.start({ poolSize: 1 });
  const record = join(mkdtempSync(join(tmpdir(), "berth-test-")), "record");
  const code = await berth.upload(RECORDER);
  const deploy = (rev: number) => berth.api.call("PUT", "/v1/functions/rolling", { code, env: { RECORD: record, REV: String(rev) }, maxScale: 1 });
  await deploy(0);
  expect(await (await berth.invoke("rolling", { method: "POST", body: "first" })).text()).toBe("0 first");
  const [instance] = (await berth.instances()).filter((candidate) => candidate.function === "rolling");

  let acknowledged = 0;
  let rolling = true;
  const rollout = (async () => {
    for (let rev = 1; rev <= 100; rev++) {
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
  expect(readFileSync(record, "utf8").trim().split("\n").sort()).toEqual(["first", ...ids].sort());
  const after = (await berth.instances()).filter((candidate) => candidate.function === "rolling");
  expect(after).toMatchObject([{ uid: instance?.uid, revision: "r101", epoch: 101 }]);
}, 120_000);
