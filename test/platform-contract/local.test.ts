import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { LocalPlatform } from "../../pool-manager/platform/local/local.ts";
import { platformContract } from "./contract.ts";

const CODE = "export default { fetch() { console.log('printed'); return new Response('ok'); } };";

platformContract("local", async () => {
  const dir = join(mkdtempSync(join(tmpdir(), "berth-test-")), "i");
  const runtimes = { node: { supervisor: resolve("runtime-images/node/dist/supervisor.cjs"), worker: null } };
  return {
    platform: new LocalPlatform({
      dir,
      codeDir: `${dir}-code`,
      node: process.execPath,
      compiler: resolve("runtime-images/node/dist/compile.cjs"),
      runtimes,
      now: () => performance.now(),
    }),
    code: await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(CODE) }], "function/"),
    kill: ({ uid }) => process.kill(supervisorOf(uid), "SIGKILL"),
    print: async ({ host, echo }) => {
      const headers = { "x-berth-function": "f1", "x-berth-revision": "r1" };
      await (await fetch(`http://${host}:${echo?.port}/`, { headers })).text();
    },
  };
});

function supervisorOf(uid: string): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, "latin1").includes(`BERTH_INSTANCE_UID=${uid}`)) return Number(pid);
    } catch {
      // It ended while we looked.
    }
  }
  throw new Error(`no process of ${uid}`);
}
