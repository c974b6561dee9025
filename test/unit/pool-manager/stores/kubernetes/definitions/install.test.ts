import { describe, expect, test, vi } from "vitest";
import { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import { definitions } from "../../../../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { DEFINITIONS } from "../../../../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";
import { installDefinitions } from "../../../../../../pool-manager/stores/kubernetes/definitions/install.ts";
import type { KubeApi } from "../../../../../../pool-manager/stores/kubernetes/resource-client.ts";

interface Definition {
  metadata: { name: string; annotations: Record<string, string> };
  spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: { properties: Record<string, { properties: Record<string, unknown> }> } } }[] };
}

const copies = () => structuredClone(definitions()) as Definition[];
const schemaOf = ({ spec }: Definition) => spec.versions[0]?.schema.openAPIV3Schema;

/** A cluster that has these definitions; `forbids` what a role without rights to definitions may not. */
function cluster(installed: Definition[], forbids: { read?: boolean; write?: boolean; describe?: boolean; fail?: boolean } = {}) {
  const applied: string[] = [];
  const byPath = new Map(installed.map((one) => [`${DEFINITIONS}/${one.metadata.name}`, one]));
  const forbidden = () => new KubeError(403, "Forbidden", "may not");
  const get = async (path: string) => {
    if (path.startsWith("/openapi")) {
      if (forbids.describe) throw forbidden();
      return { components: { schemas: Object.fromEntries(installed.map((one) => [`dev.berth.v1alpha1.${one.spec.names.kind}`, schemaOf(one)])) } };
    }
    if (path.startsWith(DEFINITIONS) && forbids.read) throw forbidden();
    const found = path.startsWith(DEFINITIONS)
      ? byPath.get(path)
      : [...byPath.keys()].some((one) => path.endsWith(`/${one.slice(DEFINITIONS.length + 1).split(".")[0]}`));
    if (!found) throw new KubeError(404, "NotFound", "none");
    return found;
  };
  const patch = async (path: string, _type: string, body: Definition) => {
    if (forbids.write) throw forbidden();
    if (forbids.fail) throw new KubeError(500, "InternalError", "failed calling webhook");
    applied.push(body.metadata.name);
    byPath.set(path, body);
    return body;
  };
  return { kube: { namespace: "n", get, patch } as unknown as KubeApi, applied };
}

/** The outcome of a start. */
async function start(installed: Definition[], forbids = {}): Promise<{ error: string; warnings: string[]; applied: string[] }> {
  const { kube, applied } = cluster(installed, forbids);
  const warnings: string[] = [];
  vi.useFakeTimers();
  try {
    const done = installDefinitions(kube, (message) => warnings.push(message)).then(
      () => "",
      ({ message }: Error) => message,
    );
    await vi.advanceTimersByTimeAsync(60_000);
    return { error: await done, warnings, applied };
  } finally {
    vi.useRealTimers();
  }
}

/** Without a field of the status and one of the spec. */
function older(): Definition[] {
  const all = copies();
  delete schemaOf(all[0] as Definition)?.properties.status?.properties.rollout;
  delete schemaOf(all[0] as Definition)?.properties.spec?.properties.queueDepth;
  return all;
}

/** With a field that this version does not know. */
function later(): Definition[] {
  const all = copies();
  for (const one of all) {
    one.metadata.annotations["berth.dev/definition-version"] = "99";
    Object.assign(schemaOf(one)?.properties.status?.properties ?? {}, { future: { type: "string" } });
  }
  return all;
}

const both = ["functions.berth.dev", "pools.berth.dev"];

describe("the definitions at a start", () => {
  test("are brought to this version if they are missing or older", async () => {
    expect(await start([])).toEqual({ error: "", warnings: [], applied: both });
    expect(await start(older())).toEqual({ error: "", warnings: [], applied: both });
  });

  test("cause a warning if they lack only what is not essential", async () => {
    const all = copies();
    delete schemaOf(all[0] as Definition)?.properties.status?.properties.secret;
    const { error, warnings } = await start(all, { write: true });
    expect([error, warnings]).toEqual(["", [expect.stringContaining("drops status.secret")]]);
  });

  test("are left alone if they are of a later version", async () => {
    expect(await start(later())).toEqual({ error: "", warnings: [], applied: [] });
  });

  test("are not written if they are complete: a webhook that is down causes a warning, and an error if a write needs it", async () => {
    const { error, warnings } = await start(copies(), { fail: true });
    expect([error, warnings]).toEqual(["", both.map((name) => `the definition ${name} could not be written: failed calling webhook`)]);
    expect((await start(older(), { fail: true })).error).toBe("failed calling webhook");
    expect((await start([], { fail: true })).error).toBe("failed calling webhook");
  });

  test.each([
    ["definitions may be read", { write: true }],
    ["only the API's description may be read", { write: true, read: true }],
  ])("stop it where they lack fields and may not be written, and %s", async (_what, forbids) => {
    const { error } = await start(older(), forbids);
    expect(error).toContain("would drop properties.spec.queueDepth, properties.status.rollout".replaceAll("properties.", ""));
    expect(error).toContain("kubectl apply --server-side");
    expect(await start(copies(), forbids)).toEqual({ error: "", warnings: [], applied: [] });
    expect(await start(later(), forbids)).toEqual({ error: "", warnings: [], applied: [] });
  });

  test("end it if they are missing, and cause a warning if they cannot be read", async () => {
    expect((await start([], { write: true, read: true })).error).toContain("the cluster does not know functions.berth.dev");
    const { error, warnings } = await start(copies(), { write: true, read: true, describe: true });
    expect([error, warnings.length]).toEqual(["", 2]);
  });
});
