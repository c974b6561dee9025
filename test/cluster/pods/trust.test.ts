import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROUTER_HEADER, type TableChange } from "../../../pool-manager/client/contract.ts";
import { ControlClient } from "../../../pool-manager/platform/control-client.ts";
import { ANNOTATION } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { CONTROL_PORT } from "../../../runtime-images/protocol/messages.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

/** Calls what the query names, with the headers that the query names, and tells what came. */
const CALLER = `import { request } from "node:https";
export default { async fetch(r) {
  const q = new URL(r.url).searchParams;
  if (q.get("own")) return Response.json(Object.fromEntries(r.headers));
  if (q.get("https")) return new Promise((done) => {
    const req = request(q.get("https"), { method: "POST", rejectUnauthorized: false }, (res) => done(new Response(String(res.statusCode))));
    req.on("error", (e) => done(new Response(e.message)));
    req.end(q.get("body") ?? "");
  });
  const res = await fetch(q.get("http"), { headers: JSON.parse(q.get("headers")) });
  return new Response(res.status + " " + res.headers.get("x-berth-refused") + " " + await res.text());
} };`;

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 3 });
  await cluster.berth.deploy("victim", "export default { fetch: () => new Response('private') };");
  await cluster.berth.deploy("caller", CALLER);
  await cluster.text("victim");
  await cluster.text("caller", "?own=1");
  await cluster.bound("victim");
});
afterAll(() => cluster.finish());

const query = (values: Record<string, string>) => `?${new URLSearchParams(values)}`;

/** The key that routers present to a function's instance. */
async function keyOf(name: string): Promise<string> {
  const asRouter = { headers: { [ROUTER_HEADER]: "trust" } };
  const response = await fetch(`${cluster.berth.berth.manageUrl}/v1/table?router=trust&host=127.0.0.1&port=9`, asRouter);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (!text.includes("\n")) text += Buffer.from((await reader.read()).value ?? []).toString("utf8");
  await reader.cancel();
  const { functions } = JSON.parse(text.split("\n")[0] ?? "") as Extract<TableChange, { type: "snapshot" }>;
  return functions.find((fn) => fn.name === name)?.endpoints[0]?.key ?? "";
}

describe("a function in a pod", () => {
  test("does not see the key that routers present, and reaches another instance neither without a key nor with its own", async () => {
    const { uid } = (await cluster.berth.api.get("/v1/functions/victim")) as { uid: string };
    const { address, revision } = await cluster.warm("victim");
    const own = JSON.parse((await cluster.text("caller", "?own=1")).slice(4)) as Record<string, string>;
    expect([own["x-berth-function"], own["x-berth-key"] ?? ""]).toEqual([expect.stringMatching(/./), ""]);
    const key = await keyOf("caller");
    expect(key.length).toBeGreaterThan(20);
    const named = { "x-berth-function": uid, "x-berth-revision": revision ?? "" };
    for (const headers of [named, { ...named, "x-berth-key": key }]) {
      expect(await cluster.text("caller", query({ http: `http://${address}/`, headers: JSON.stringify(headers) }))).toBe("200 503 stale ");
    }
  });

  test("can give another instance no order, and cannot drain it", async () => {
    const { uid } = await cluster.warm("victim");
    const host = (await cluster.view.pod(uid))?.status.podIP;
    const order = `${JSON.stringify({ uid, epoch: 1, functionUid: "x" })}\n`;
    expect(await cluster.text("caller", query({ https: `https://${host}:${CONTROL_PORT}/v1/load`, body: order }))).toBe("200 401");
    expect(await cluster.text("caller", query({ https: `https://${host}:${CONTROL_PORT}/v1/drain?deadlineMs=0` }))).toBe("200 401");
    expect(await cluster.text("victim")).toBe("200 private");
  });
});

test("an order that another key has signed is refused, and so is another certificate than the pinned one", async () => {
  const { uid } = await cluster.warm("victim");
  const pod = await cluster.view.pod(uid);
  const { privateKey: key } = generateKeyPairSync("ed25519");
  const address = { host: pod?.status.podIP ?? "", port: CONTROL_PORT, uid, key };
  const fingerprint = pod?.metadata.annotations?.[ANNOTATION.fingerprint] ?? "";
  expect(fingerprint).toMatch(/^([0-9A-F]{2}:){31}/);
  const forger = new ControlClient({ ...address, fingerprint });
  await expect(forger.drain(0)).rejects.toThrow(/not signed by the leader/);
  forger.close();
  const stranger = new ControlClient({ ...address, fingerprint: fingerprint.replace(/^../, fingerprint.startsWith("00") ? "01" : "00") });
  await expect(stranger.drain(0)).rejects.toThrow(/another certificate/);
  stranger.close();
});

test("instances run as the restricted policy wants it", async () => {
  const patch = { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } };
  await cluster.view.kube.patch(`/api/v1/namespaces/${cluster.namespace}`, "merge", patch);
  await cluster.berth.api.call("PATCH", "/v1/pools/node", { size: 4 });
  await until(async () => (await cluster.berth.instances()).filter(({ state }) => state === "prewarmed").length >= 4, "pods are still admitted");
});
