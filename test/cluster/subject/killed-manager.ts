/** A pool manager that dies, as by SIGKILL, at a named step of its first claim: node killed-manager.ts NAMESPACE STATE_DIR STEP */
import { startTemporary } from "../../../cli/up.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { ControlClient } from "../../../pool-manager/platform/control-client.ts";
import { TestBerth } from "../../helpers/berth.ts";
import { clusterOptions } from "./subject.ts";

export const STEPS = ["order accepted", "before replicas", "after replicas", "after the pod"] as const;

const [namespace = "", stateDir = "", step = ""] = process.argv.slice(2);
if (namespace) await run();

async function run(): Promise<void> {
  const die = () => process.kill(process.pid, "SIGKILL");
  let claims = 0;
  const patch = KubeClient.prototype.patch;
  KubeClient.prototype.patch = async function <T>(this: KubeClient, ...args: Parameters<typeof patch>): Promise<T> {
    if (args[3] !== "claim") return patch.apply(this, args) as Promise<T>;
    claims += 1;
    if (claims === 1 && step === "before replicas") die();
    const result = (await patch.apply(this, args)) as T;
    if ((claims === 1 && step === "after replicas") || (claims === 2 && step === "after the pod")) die();
    return result;
  };
  const load = ControlClient.prototype.load;
  ControlClient.prototype.load = async function (...args: Parameters<typeof load>) {
    const answer = await load.apply(this, args);
    if (step === "order accepted") die();
    return answer;
  };
  const berth = new TestBerth(await startTemporary({ ...clusterOptions(namespace), stateDir, poolSize: 2 }));
  await berth.prewarmed(2);
  await berth.deploy("claimed", "export default { fetch: () => new Response('served') };");
  await (await berth.invoke("claimed")).text();
  setTimeout(() => process.exit(1), 90_000);
}
