import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KubeClient } from "../../../../pool-manager/kubernetes/client.ts";
import { PersistentWrite } from "../../../../pool-manager/kubernetes/persistent-write.ts";
import { outlookOf, withRetries } from "../../../../pool-manager/kubernetes/retry.ts";
import { tooLate } from "../../../../pool-manager/kubernetes/transport.ts";
import { DisruptionBudgets } from "../../../../pool-manager/platform/kruise/disruption/budgets.ts";
import { refusal } from "../../../helpers/servers/answering.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("an answer of 200 that is no JSON comes from something in between, and the request is repeated", async () => {
  const send = async () => ({ status: 200, body: Buffer.from("<html>maintenance</html>") });
  const kube = KubeClient.over({ send, stream: () => () => {}, close: () => {} }, "ns");
  const message = "the answer to GET /version is not the API server's: <html>maintenance</html>";
  await expect(kube.get("/version")).rejects.toMatchObject({ name: "Error", status: 0, message });
  expect(outlookOf(await kube.get("/version").catch((error) => error))).toBe("passing");
});

describe("a step of a start", () => {
  /** The outcome of work that fails with each of `errors` in turn, and then succeeds. */
  async function tried(errors: Error[], boundMs?: number) {
    const troubles: (string | null)[] = [];
    const began = performance.now();
    let attempts = 0;
    const work = async () => {
      const error = errors[Math.min(attempts++, errors.length)];
      if (error) throw error;
      return "done";
    };
    const options = { stop: new AbortController().signal, onTrouble: (message: string | null) => troubles.push(message), ...(boundMs && { boundMs }) };
    const result = withRetries(work, options).catch((error: Error) => error.message);
    await pass(60_000);
    return { result: await result, attempts, troubles, tookMs: performance.now() - began };
  }

  test.each([
    ["no answer", [refusal(0), refusal(0)]],
    ["too many requests", [refusal(429, 1000), refusal(429)]],
    ["errors of the API server", [refusal(500), refusal(503), refusal(504)]],
    ["a refusal of a moment, after the API server was away", [...Array<Error>(6).fill(refusal(0)), refusal(403), refusal(401)]],
  ])("goes on after %s, and tells once each", async (_what, errors) => {
    const { result, attempts, troubles } = await tried(errors);
    expect([result, attempts]).toEqual(["done", errors.length + 1]);
    expect(troubles).toEqual([`${errors[0]?.message}; it is tried again`, null]);
  });

  test.each([
    ["no answer", refusal(0), 20],
    ["a refusal", refusal(403), 5],
  ])("ends with the last error after %s within a bound", async (_what, error, seconds) => {
    const { result, attempts } = await tried(Array<Error>(1000).fill(error));
    expect(Number(/tried for (\d+) s/.exec(result)?.[1])).toBeLessThanOrEqual(seconds);
    expect(attempts).toBeGreaterThan(3);
  });

  test("is not tried again if it cannot succeed", async () => {
    for (const error of [refusal(400), refusal(404), refusal(409), refusal(422), new TypeError("a fault of ours")]) {
      expect(await tried([error, error])).toMatchObject({ result: error.message, attempts: 1, troubles: [] });
    }
  });

  test("waits as long as the server asks, within a bound", async () => {
    let attempts = 0;
    const work = () => (attempts++ === 0 ? Promise.reject(refusal(429, 3000)) : Promise.resolve(1));
    const result = withRetries(work, { stop: new AbortController().signal, onTrouble: () => {} });
    await pass(2900);
    expect(attempts).toBe(1);
    await pass(200);
    expect([await result, attempts]).toEqual([1, 2]);
  });

  test("ends at once when it is told to stop", async () => {
    const stop = new AbortController();
    const ended = withRetries(() => Promise.reject(refusal(0)), { stop: stop.signal, onTrouble: () => {} }).catch((error: Error) => error.name);
    await pass(300);
    stop.abort();
    expect(await ended).toBe("AbortError");
  });
});

describe("a write that nothing waits for", () => {
  test("is tried until it succeeds, with growing pauses, is reported once for each reason, and is repeated from time to time", async () => {
    const troubles: (string | null)[] = [];
    let [attempts, isRefused] = [0, true];
    const write = async () => {
      attempts++;
      if (isRefused) throw refusal(403);
    };
    const kept = new PersistentWrite(write, (message) => troubles.push(message));
    await pass(10_000);
    expect(attempts).toBeLessThan(6);
    expect(troubles).toEqual(["status 403"]);
    await pass(600_000);
    expect(attempts).toBeLessThan(20);
    isRefused = false;
    await pass(60_000);
    expect(troubles).toEqual(["status 403", null]);
    const before = attempts;
    await pass(310_000);
    expect(attempts).toBeGreaterThan(before);
    kept.close();
    const last = attempts;
    await pass(600_000);
    expect(attempts).toBe(last);
  });

  test("is made at once when there is another value to write, also while a write is under way", async () => {
    let value = 1;
    const written: number[] = [];
    const write = async () => {
      const now = value;
      await pass(50);
      written.push(now);
    };
    const kept = new PersistentWrite(write, () => {});
    await pass(10);
    value = 2;
    kept.rewrite();
    await pass(200);
    expect(written).toEqual([1, 2]);
    value = 3;
    kept.rewrite();
    await pass(200);
    expect(written).toEqual([1, 2, 3]);
    kept.close();
  });

  test("a budget that is refused delays neither the other budget nor any caller", async () => {
    const written: string[] = [];
    const troubles: string[] = [];
    const patch = async <T>(path: string) => {
      if (path.includes("podunavailablebudgets")) throw tooLate({ method: "PATCH", path, timeoutMs: 5000 });
      written.push(path);
      return {} as T;
    };
    const protection = new DisruptionBudgets({ namespace: "ns", patch } as Pick<KubeClient, "namespace" | "patch">, (kind, message) =>
      troubles.push(`${kind}: ${message}`),
    );
    protection.require(4);
    await pass(100);
    protection.close();
    expect(written).toEqual(["/apis/policy/v1/namespaces/ns/poddisruptionbudgets/berth-instances"]);
    expect(troubles).toEqual([
      expect.stringMatching(/^PodUnavailableBudget: no answer to PATCH \S+podunavailablebudgets\S+ within 5000 ms: an admission webhook may hang/),
    ]);
  });
});
