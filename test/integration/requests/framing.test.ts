import { afterAll, beforeAll, expect, test } from "vitest";
import { type MadeRequest, RequestMaker } from "../../helpers/requests/random-requests.ts";
import { RawClient } from "../../helpers/requests/raw-client.ts";
import { Recorder } from "../../helpers/requests/recorder.ts";
import { functionAt, listen, type Routed, startRouted } from "../../helpers/subjects/routed.ts";

const SEED = Number(process.env.BERTH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = Number(process.env.BERTH_TEST_REQUESTS ?? 1000);
const CLIENTS = 16;

const recorder = new Recorder();
let routers: Routed[];
beforeAll(async () => {
  const functions = [functionAt([await listen(recorder.server)], { concurrency: 1000 }, { key: "the-key" })];
  routers = [await startRouted(functions), await startRouted(functions)];
  // One of them owns the function's slots, and the other one passes its invocations on.
  for (const { tell } of routers) tell({ type: "routers", routers: routers.map(({ self }) => self) });
});
afterAll(async () => {
  await Promise.all(routers.map((router) => router.close()));
  recorder.close();
});

const turn = () => new Promise(setImmediate);

/** Writes the bytes in pieces, or at once. */
async function write(client: RawClient, bytes: string, cuts: readonly number[]): Promise<void> {
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    await client.send(bytes.slice(from, cut));
    if (cut < bytes.length) await turn();
    from = cut;
  }
}

/** Checks the part of a served request that the instance must have seen. */
function check(made: MadeRequest): void {
  const seen = recorder.of(made.path);
  expect(seen.map(({ method, body }) => [method, body])).toEqual([[made.method, made.body]]);
  const { headers } = seen[0] as (typeof seen)[0];
  const valuesOf = (name: string) => headers.filter(([given]) => given === name).map(([, value]) => value);
  expect(["host", "x-berth-function", "x-berth-revision", "x-berth-key"].map(valuesOf)).toEqual([[made.host], ["f"], ["r1"], ["the-key"]]);
  expect([valuesOf("x-call-id").length, valuesOf("x-forwarded-for").length]).toEqual([1, 1]);
  expect(headers.filter(([name]) => /^(x-[a-z]\d*|cookie)$/.test(name))).toEqual(made.passed);
  expect(headers.filter(([name]) => /^(connection|keep-alive|te|proxy-connection|upgrade|expect|x-berth-(refused|parked))$/.test(name))).toEqual([]);
}

/** A connection with some requests, each followed by another that must not be touched by it. */
async function converse(maker: RequestMaker): Promise<number> {
  const requests = Array.from({ length: 1 + maker.below(4) }, () => maker.make());
  const client = await RawClient.open(maker.pick(routers).url);
  try {
    const pipelined = maker.chance(0.4);
    if (pipelined) {
      const bytes = requests.map((made) => made.bytes).join("");
      await write(client, bytes, maker.chance(0.5) ? [maker.below(bytes.length)] : []);
    }
    for (const made of requests) {
      if (!pipelined) await write(client, made.bytes, cutsOf(maker, made));
      const response = await client.response(made.method);
      if (made.wrong) {
        // Bytes that follow on the connection are not read as a request.
        expect([response?.status, response?.head], `${made.wrong} is wrong`).toEqual([
          expect.toSatisfy((s) => s === 400 || s === 431),
          expect.stringMatching(/^x-berth-error: \w+\r?$/m),
        ]);
        expect(JSON.parse(response?.body ?? "")).toMatchObject({ error: { code: expect.any(String), fix: expect.any(String) } });
        expect([recorder.of(made.path), await client.end(), client.unread]).toEqual([[], true, ""]);
        break;
      }
      expect([response?.status, response?.body]).toEqual([200, made.path]);
      check(made);
      // node:http ends a connection on which it cannot know whether the body of an expectation comes (RFC 9110, 10.1.1).
      if (/^connection: close\r?$/im.test(response?.head ?? "")) {
        expect([made.bytes, await client.end()]).toEqual([expect.stringContaining("Expect: 100-continue"), true]);
        break;
      }
    }
  } catch (error) {
    throw new Error(`BERTH_SEED=${SEED}: ${requests.map(({ bytes }) => JSON.stringify(bytes.slice(0, 1500))).join("\n")}`, { cause: error });
  } finally {
    client.close();
  }
  return requests.length;
}

function cutsOf(maker: RequestMaker, { bytes, headSize }: MadeRequest): number[] {
  const kind = maker.below(100);
  if (kind === 0 && headSize < 300) return Array.from({ length: headSize }, (_, i) => i + 1);
  if (kind < 40) return [maker.below(bytes.length), maker.below(bytes.length)].sort((a, b) => a - b);
  return [];
}

test("no request touches another, whatever its headers, its framing and its body are", { timeout: 30_000 + 40 * REQUESTS }, async () => {
  const maker = new RequestMaker(SEED);
  let made = 0;
  const client = async () => {
    while (made < REQUESTS) made += await converse(maker);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  expect(recorder.violations, `BERTH_SEED=${SEED}`).toEqual([]);
  expect(
    recorder.requests.filter(({ path }) => path.includes("evil")),
    `BERTH_SEED=${SEED}`,
  ).toEqual([]);
  expect(recorder.requests.length, `BERTH_SEED=${SEED}`).toBeGreaterThan(REQUESTS / 2);
  const passedOn = recorder.requests.filter(({ headers }) =>
    headers.some(([name, value]) => name === "x-forwarded-for" && /127\.0\.0\.1, 127\.0\.0\.1$/.test(value)),
  );
  expect(passedOn.length).toBeGreaterThan(REQUESTS / 8);
});
