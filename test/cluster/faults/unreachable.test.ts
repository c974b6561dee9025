import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

/** A silent peer is noticed within this time, connections of both kinds included. */
const NOTICED_MS = 5000;
const SLOW =
  "import { hostname } from 'node:os'; export default { async fetch(r) { if (r.url.endsWith('/slow')) await new Promise((done) => setTimeout(done, 25_000)); return new Response(hostname()); } };";

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 4 });
});
afterAll(() => cluster.finish());

/** Rules that are in force, as arguments after the chain. */
const rules: string[][] = [];
afterEach(() => {
  for (const rule of rules.splice(0)) execFileSync("iptables", ["-w", "-D", ...rule]);
});

/** Nothing gets to the instances any more, or comes from them: no packet says that they are gone. */
async function cut(uids: readonly string[]): Promise<void> {
  for (const uid of uids) {
    const ip = (await cluster.view.pod(uid))?.status.podIP ?? "";
    expect(ip).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    for (const rule of [
      ["OUTPUT", "-d", ip, "-j", "DROP"],
      ["INPUT", "-s", ip, "-j", "DROP"],
    ]) {
      execFileSync("iptables", ["-w", "-I", ...rule]);
      rules.push(rule);
    }
  }
}

const free = async () => (await cluster.berth.instances()).filter(({ state }) => state === "prewarmed").map(({ uid }) => uid);

async function timed(name: string, path = ""): Promise<{ text: string; ms: number }> {
  const since = performance.now();
  const text = await cluster.text(name, path);
  return { text, ms: performance.now() - since };
}

describe("pods whose network is cut", () => {
  test("and that are free cost a new function nothing, once that was to be noticed", async () => {
    await cluster.berth.prewarmed(4);
    await cluster.berth.deploy("late", "export default { fetch: () => new Response('late') };");
    // The longest settled ones are taken first: the one that is left is not among those.
    await cut((await free()).slice(0, 3));
    await sleep(NOTICED_MS);
    const { text, ms } = await timed("late");
    expect(text).toBe("200 late");
    expect(ms).toBeLessThan(1500);
  });

  test("and that are free cost a new function 2 s at the most before, however many they are", async () => {
    await until(async () => (await free()).length >= 4, "the pool is full again", 60_000);
    await cluster.berth.deploy("soon", "export default { fetch: () => new Response('soon') };");
    await cut((await free()).slice(0, 3));
    const { text, ms } = await timed("soon");
    expect(text).toBe("200 soon");
    expect(ms).toBeLessThan(3500);
  });

  test("and that serve: what runs there ends with an error within 6 s, and the next invocation is served elsewhere", async () => {
    await until(async () => (await free()).length >= 4, "the pool is full again", 60_000);
    await cluster.berth.deploy("served", SLOW, { concurrency: 2 });
    const { text: before } = await timed("served");
    const slow = timed("served", "/slow");
    const { uid } = await cluster.warm("served");
    await sleep(500);
    const since = performance.now();
    await cut([uid]);
    expect((await slow).text).toMatch(/^502 .*INSTANCE_LOST/);
    expect(performance.now() - since).toBeLessThan(NOTICED_MS + 1000);
    const next = await timed("served");
    expect(next.text).toMatch(/^200 /);
    expect(next.text).not.toBe(before);
    expect(next.ms).toBeLessThan(3000);
  });
});
