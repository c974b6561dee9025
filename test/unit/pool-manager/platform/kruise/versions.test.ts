import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { kubernetesVersion, tellKubernetesVersion } from "../../../../../pool-manager/kubernetes/version.ts";
import { kruiseServed, kruiseVersion } from "../../../../../pool-manager/platform/kruise/cluster-checks.ts";
import { judgeKruiseVersion, readKruiseVersion } from "../../../../../pool-manager/platform/kruise/kruise-version.ts";
import { answering, refusal } from "../../../../helpers/servers/answering.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

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

  test("that cannot be read causes a warning and no refusal", async () => {
    for (const error of [refusal(403), refusal(429), refusal(500), refusal(0)]) {
      const denied = answering({
        "/apis/apps/v1/namespaces/kruise-system/deployments/kruise-controller-manager": error,
        "/api/v1/namespaces/kruise-system": error,
      });
      expect(await kruiseVersion(denied, false)).toMatchObject({ ok: true, detail: `unknown: ${error.message}`, error });
    }
    expect(await kruiseVersion(answering({}), false)).toMatchObject({ ok: true, detail: expect.stringContaining("unknown"), error: null });
  });

  test("is read from the namespace if there is no Deployment, and refused if it is not supported", async () => {
    const labelled = (version: string) => answering({ "/api/v1/namespaces/kruise-system": { metadata: { labels: { "app.kubernetes.io/version": version } } } });
    expect(await kruiseVersion(labelled("v1.8.3"), false)).toEqual({ ok: true, detail: "1.8.3" });
    expect(await kruiseVersion(labelled("1.7.0"), false)).toMatchObject({ ok: false, fix: expect.stringContaining("--any-kruise-version") });
    expect(await kruiseVersion(labelled("1.7.0"), true)).toMatchObject({ ok: true });
    expect(await kruiseVersion(labelled("1.9.7"), false)).toMatchObject({ ok: true, warning: expect.stringContaining("1.9.7") });
  });

  test("does not matter if there are no CloneSets", async () => {
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

  /** The reports of a start if the API answers in turn with `answers`, the last one repeatedly. */
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

  test("causes one warning if Berth was not tested with it, also when the API server answers late", async () => {
    expect(await told(["v1.34.4"])).toEqual({ ended: "done", troubles: [] });
    expect(await told([refusal(429), refusal(0), "v1.34.4"])).toEqual({ ended: "done", troubles: [] });
    expect(await told([refusal(0), "v1.29.1"])).toEqual({ ended: "done", troubles: [expect.stringContaining("Kubernetes is v1.29.1")] });
  });

  test("that cannot be read causes a warning, and the start continues", async () => {
    for (const error of [refusal(0), refusal(403), refusal(404), refusal(500)]) {
      expect(await told([error])).toEqual({ ended: "done", troubles: [expect.stringMatching(/^the version of Kubernetes is unknown: .*status \d+/)] });
    }
    expect(await told([refusal(0)], AbortSignal.abort())).toEqual({ ended: "AbortError", troubles: [] });
  });
});
