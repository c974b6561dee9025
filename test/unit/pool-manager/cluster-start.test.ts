import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CleanupStack } from "../../../pool-manager/async/cleanup-stack.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { PersistentWrite } from "../../../pool-manager/kubernetes/persistent-write.ts";
import { outlookOf, withRetries } from "../../../pool-manager/kubernetes/retry.ts";
import { tooLate } from "../../../pool-manager/kubernetes/transport.ts";
import { kubernetesVersion, tellKubernetesVersion } from "../../../pool-manager/kubernetes/version.ts";
import { kruiseServed, kruiseVersion } from "../../../pool-manager/platform/kruise/cluster-checks.ts";
import { loadKeys } from "../../../pool-manager/platform/kruise/cluster-keys.ts";
import { DisruptionBudgets } from "../../../pool-manager/platform/kruise/disruption/budgets.ts";
import { judgeKruiseVersion, readKruiseVersion } from "../../../pool-manager/platform/kruise/kruise-version.ts";
import { highestTerm } from "../../../pool-manager/platform/kruise/leader-election/terms.ts";
import { StartDeadline } from "../../../pool-manager/start-deadline.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const refusal = (status: number, retryAfterMs: number | null = null) => new KubeError(status, "", `status ${status}`, retryAfterMs);

/** An API that answers GETs from a table: objects, or errors. */
function answering(answers: Record<string, unknown>): Pick<KubeClient, "namespace" | "get"> {
  return {
    namespace: "ns",
    get: async <T>(path: string, query: Record<string, string> = {}) => {
      const answer = answers[query.continue ? `${path}?${query.continue}` : path] ?? refusal(404);
      if (answer instanceof Error) throw answer;
      return answer as T;
    },
  };
}

test("an answer of 200 that is no JSON is none: something in between has given it, and it is asked again", async () => {
  const send = async () => ({ status: 200, body: Buffer.from("<html>maintenance</html>") });
  const kube = KubeClient.over({ send, stream: () => () => {}, close: () => {} }, "ns");
  const message = "the answer to GET /version is not the API server's: <html>maintenance</html>";
  await expect(kube.get("/version")).rejects.toMatchObject({ name: "Error", status: 0, message });
  expect(outlookOf(await kube.get("/version").catch((error) => error))).toBe("passing");
});

describe("a step of a start", () => {
  /** How it ends where its work fails with each of `errors` in turn, and then does not. */
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

  test("is not tried again where it cannot pass", async () => {
    for (const error of [refusal(400), refusal(404), refusal(409), refusal(422), new TypeError("a fault of ours")]) {
      expect(await tried([error, error])).toMatchObject({ result: error.message, attempts: 1, troubles: [] });
    }
  });

  test("waits as long as it is asked to, within reason", async () => {
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
  test("is tried until it succeeds, in growing pauses, told once each, and made again now and then", async () => {
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

  test("is made at once when there is something else to write, also while one is under way", async () => {
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

  test("one budget that is refused keeps neither the other nor anybody else waiting", async () => {
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

describe("the version of Kruise", () => {
  test.each([
    ["1.8.3", "tested"],
    ["1.8.9", "untested"],
    ["1.9.0", "untested"],
    ["1.9.1", "tested"],
    ["1.9.99", "untested"],
    ["1.9.2-rc.1", "untested"],
    ["1.8.2", "refused"],
    ["1.7.4", "refused"],
    ["1.10.0", "refused"],
    ["2.0.0", "refused"],
  ])("%s is %s", (version, verdict) => {
    expect(judgeKruiseVersion(version)).toBe(verdict);
  });

  const deployment = (...containers: object[]) => ({
    "/apis/apps/v1/namespaces/kruise-system/deployments/kruise-controller-manager": { spec: { template: { spec: { containers } } } },
  });

  test.each([
    [{ name: "manager", image: "openkruise/kruise-manager:v1.8.3" }, "1.8.3"],
    [{ name: "manager", image: "reg:5000/a/kruise-manager:v1.9.0@sha256:00ff" }, "1.9.0"],
    [{ name: "manager", image: "reg:5000/a/kruise-manager@sha256:00ff" }, null],
    [{ name: "manager" }, null],
  ])("is read from %j", async (container, version) => {
    const sidecar = { name: "mesh", image: "mesh:v3.1.0" };
    expect((await readKruiseVersion(answering(deployment(sidecar, container)))).version).toBe(version);
  });

  test("that cannot be read is told, and no reason to refuse", async () => {
    for (const error of [refusal(403), refusal(429), refusal(500), refusal(0)]) {
      const denied = answering({
        "/apis/apps/v1/namespaces/kruise-system/deployments/kruise-controller-manager": error,
        "/api/v1/namespaces/kruise-system": error,
      });
      expect(await kruiseVersion(denied, false)).toMatchObject({ ok: true, detail: `unknown: ${error.message}`, error });
    }
    expect(await kruiseVersion(answering({}), false)).toMatchObject({ ok: true, detail: expect.stringContaining("unknown"), error: null });
  });

  test("is taken from the namespace where there is no Deployment, and refused where it is another one", async () => {
    const labelled = (version: string) => answering({ "/api/v1/namespaces/kruise-system": { metadata: { labels: { "app.kubernetes.io/version": version } } } });
    expect(await kruiseVersion(labelled("v1.8.3"), false)).toEqual({ ok: true, detail: "1.8.3" });
    expect(await kruiseVersion(labelled("1.7.0"), false)).toMatchObject({ ok: false, fix: expect.stringContaining("--any-kruise-version") });
    expect(await kruiseVersion(labelled("1.7.0"), true)).toMatchObject({ ok: true });
    expect(await kruiseVersion(labelled("1.9.7"), false)).toMatchObject({ ok: true, warning: expect.stringContaining("1.9.7") });
  });

  test("does not matter where there are no CloneSets", async () => {
    expect(await kruiseServed(answering({}))).toMatchObject({ ok: false });
    expect(await kruiseServed(answering({ "/apis/apps.kruise.io/v1alpha1": { resources: [{ name: "clonesets" }] } }))).toMatchObject({ ok: true });
  });
});

describe("the version of Kubernetes", () => {
  test.each([
    ["v1.30.0", true],
    ["v1.34.4", true],
    ["v1.31.2-eks-7f9249a", true],
    ["v1.37.2+k3s1", true],
    ["v1.29.14", false],
    ["v1.38.0-alpha.1", false],
    ["v2.30.0", false],
    ["", false],
  ])("%s is one that Berth was tested with: %s", async (gitVersion, isTested) => {
    const { version, warning } = await kubernetesVersion(answering({ "/version": { gitVersion } }));
    expect([version, warning]).toEqual([gitVersion, isTested ? null : `Kubernetes is ${gitVersion}; Berth was tested with 1.30 to 1.37`]);
  });

  /** What a start tells of it where the API answers in turn with `answers`, the last one from then on. */
  async function told(answers: (string | Error)[], stop = new AbortController().signal) {
    const troubles: (string | null)[] = [];
    let asked = 0;
    const get = async <T>() => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return { gitVersion: answer } as T;
    };
    const ended = tellKubernetesVersion({ get }, { stop, onTrouble: (message) => troubles.push(message) }).then(
      () => "done",
      ({ name }: Error) => name,
    );
    await pass(10_000);
    return { ended: await ended, troubles };
  }

  test("is told once where Berth was not tested with it, also when the API server answers late", async () => {
    expect(await told(["v1.34.4"])).toEqual({ ended: "done", troubles: [] });
    expect(await told([refusal(429), refusal(0), "v1.34.4"])).toEqual({ ended: "done", troubles: [] });
    expect(await told([refusal(0), "v1.29.1"])).toEqual({ ended: "done", troubles: [expect.stringContaining("Kubernetes is v1.29.1")] });
  });

  test("that cannot be read is told, and no reason to end", async () => {
    for (const error of [refusal(0), refusal(403), refusal(404), refusal(500)]) {
      expect(await told([error])).toEqual({ ended: "done", troubles: [expect.stringMatching(/^the version of Kubernetes is unknown: .*status \d+/)] });
    }
    expect(await told([refusal(0)], AbortSignal.abort())).toEqual({ ended: "AbortError", troubles: [] });
  });
});

describe("the highest term", () => {
  const pods = "/api/v1/namespaces/ns/pods";
  const sets = "/apis/apps.kruise.io/v1alpha1/namespaces/ns/clonesets";
  const functions = "/apis/berth.dev/v1alpha1/namespaces/ns/functions";
  const pools = "/apis/berth.dev/v1alpha1/namespaces/ns/pools";
  const annotated = (...terms: string[]) => terms.map((term) => ({ metadata: { annotations: { "berth.dev/term": term } } }));
  const withStatus = (...terms: unknown[]) => terms.map((term) => ({ metadata: {}, status: { term } }));

  test.each([
    ["pods", { [pods]: { items: annotated("3", "7") }, [pools]: { items: withStatus(2) } }, 7],
    ["CloneSets", { [sets]: { items: annotated("0", "9") }, [pods]: { items: annotated("3") } }, 9],
    ["pools", { [pools]: { items: withStatus(11, undefined) } }, 11],
    ["functions", { [functions]: { items: withStatus(12) }, [pools]: { items: withStatus(11) } }, 12],
    ["another page", { [pods]: { metadata: { continue: "x" }, items: annotated("1") }, [`${pods}?x`]: { items: annotated("8") } }, 8],
    ["nothing, where no kind is served", {}, 0],
    [
      "what cannot be a term",
      { [pods]: { items: annotated("-4", "1e99", "NaN", "4.5", "99999999999", "2") }, [pools]: { items: withStatus("x", null, {}) } },
      2,
    ],
  ])("is that of %s", async (_what, answers, term) => {
    expect(await highestTerm(answering(answers))).toBe(term);
  });

  test("is not known where one of the listings fails", async () => {
    for (const error of [refusal(403), refusal(410), refusal(500), refusal(0)]) {
      await expect(highestTerm(answering({ [pods]: { items: annotated("3") }, [functions]: error }))).rejects.toBe(error);
      const broken = { [pods]: { metadata: { continue: "x" }, items: annotated("3") }, [`${pods}?x`]: error };
      await expect(highestTerm(answering(broken))).rejects.toBe(error);
    }
  });
});

describe("the keys of a namespace", () => {
  function secrets(stored: { data?: Record<string, string> } | null, create: (data: Record<string, string>) => void) {
    let secret = stored;
    return {
      namespace: "ns",
      get: async <T>() => {
        if (!secret) throw refusal(404);
        return secret as T;
      },
      create: async <T>(_path: string, body: unknown) => {
        const { stringData } = body as { stringData: Record<string, string> };
        secret = { data: Object.fromEntries(Object.entries(stringData).map(([name, text]) => [name, Buffer.from(text).toString("base64")])) };
        create(stringData);
        return secret as T;
      },
    };
  }

  test("tell who has made them: nobody else can have led before", async () => {
    const api = secrets(null, () => {});
    expect((await loadKeys(api)).madeAt).not.toBeNull();
    expect((await loadKeys(api)).madeAt).toBeNull();
    const late = secrets(null, () => {
      throw new KubeError(409, "AlreadyExists", "there is one");
    });
    expect((await loadKeys(late)).madeAt).toBeNull();
  });

  test("that are none are said to be none", async () => {
    for (const data of [undefined, {}, { signing: "eA==" }, { signing: "eA==", instances: "eA==" }] as (Record<string, string> | undefined)[]) {
      await expect(loadKeys(secrets(data ? { data } : {}, () => {}))).rejects.toThrow("holds no keys of Berth");
    }
  });
});

describe("the end of a start", () => {
  test("takes every step, the latest first, though one fails and one hangs", async () => {
    const ended: string[] = [];
    const errors: string[] = [];
    const undo = new CleanupStack(({ message }) => errors.push(message));
    undo.add(() => ended.push("first"));
    undo.add(() => new Promise(() => {}));
    undo.add(() => {
      throw new Error("does not end");
    });
    undo.add(() => ended.push("last"));
    const all = undo.all();
    await pass(11_000);
    await all;
    expect(ended).toEqual(["last", "first"]);
    expect(errors).toEqual(["does not end", expect.stringContaining("took longer")]);
    undo.add(() => ended.push("opened afterwards"));
    await pass(0);
    expect(ended).toEqual(["last", "first", "opened afterwards"]);
  });

  test("comes by itself where a leader does not serve within a minute, and not before it leads", async () => {
    const deadline = new StartDeadline(new AbortController().signal);
    const ended = deadline.bound(new Promise(() => {})).catch((error: Error) => error.message);
    await pass(600_000);
    expect(deadline.signal.aborted).toBe(false);
    deadline.begin();
    await pass(61_000);
    expect([await ended, deadline.signal.aborted]).toEqual(["leading, but not able to serve within 60 s", true]);
  });

  test("does not come where it serves, and its signal is that of whoever stops it", async () => {
    const stop = new AbortController();
    const deadline = new StartDeadline(stop.signal);
    deadline.begin();
    expect(await deadline.bound(Promise.resolve(1))).toBe(1);
    await pass(120_000);
    expect(deadline.signal.aborted).toBe(false);
    stop.abort();
    expect(deadline.signal.aborted).toBe(true);
  });
});
