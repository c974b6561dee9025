import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CleanupStack } from "../../../pool-manager/async/cleanup-stack.ts";
import { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { loadKeys } from "../../../pool-manager/platform/kruise/cluster-keys.ts";
import { highestTerm } from "../../../pool-manager/platform/kruise/leader-election/terms.ts";
import { StartDeadline } from "../../../pool-manager/start-deadline.ts";
import { answering, refusal } from "../../helpers/servers/answering.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

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

  test("is unknown if one of the listings fails", async () => {
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

  test("show who has created them: nobody else can have led before", async () => {
    const api = secrets(null, () => {});
    expect((await loadKeys(api)).madeAt).not.toBeNull();
    expect((await loadKeys(api)).madeAt).toBeNull();
    const late = secrets(null, () => {
      throw new KubeError(409, "AlreadyExists", "there is one");
    });
    expect((await loadKeys(late)).madeAt).toBeNull();
  });

  test("that are missing or invalid are an error", async () => {
    for (const data of [undefined, {}, { signing: "eA==" }, { signing: "eA==", instances: "eA==" }] as (Record<string, string> | undefined)[]) {
      await expect(loadKeys(secrets(data ? { data } : {}, () => {}))).rejects.toThrow("holds no keys of Berth");
    }
  });
});

describe("the end of a start", () => {
  test("runs every step, the latest first, though one fails and one hangs", async () => {
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

  test("follows automatically if a leader does not serve within a minute, and not before it leads", async () => {
    const deadline = new StartDeadline(new AbortController().signal);
    const ended = deadline.bound(new Promise(() => {})).catch((error: Error) => error.message);
    await pass(600_000);
    expect(deadline.signal.aborted).toBe(false);
    deadline.begin();
    await pass(61_000);
    expect([await ended, deadline.signal.aborted]).toEqual(["leading, but not able to serve within 60 s", true]);
  });

  test("does not follow if the leader serves, and its signal is that of the caller that stops it", async () => {
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
