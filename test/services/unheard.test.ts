import { afterEach, expect, test } from "vitest";
import { UNHEARD_MS } from "../../router/routing/readiness.ts";
import { until } from "../helpers/berth.ts";
import { Fleet, type RouterProcess } from "../helpers/routers.ts";

let fleet: Fleet | null = null;
let router: RouterProcess | null = null;
afterEach(async () => {
  router?.child.kill("SIGKILL");
  await fleet?.close();
});

test("a router that hears of no pool manager for long and reaches no instance is not ready, and says so; the next pool manager ends that", async () => {
  const first = await Fleet.start({ poolSize: 1 });
  const manage = new URL(first.berth.berth.manageUrl);
  const { url, adminUrl, child } = await first.router();
  router = { url, adminUrl, child };
  await first.ready(router);
  await first.berth.deploy("hello", "export default { fetch: () => new Response('hello') };");
  expect(await (await fetch(`${url}/function/hello`)).text()).toBe("hello");
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  const readiness = async () => {
    const response = await fetch(`${adminUrl}/readyz`);
    return `${response.status} ${(await response.text()).trim()}`.trim();
  };
  // Its instances end with it: they are processes of its own.
  await first.berth.close();
  const from = performance.now();
  await until(async () => (await readiness()) !== "200", "it is not ready", UNHEARD_MS + 10_000);
  expect(performance.now() - from).toBeGreaterThan(UNHEARD_MS - 1000);
  expect(await readiness()).toBe("503 no pool manager is heard and no instance is reached");
  expect(await (await fetch(`${url}/readyz`)).text()).toContain("no pool manager is heard");
  expect(said).toMatch(/^router: the pool manager has not been heard for 3\d s \(connect ECONNREFUSED .+\): known instances keep serving$/m);
  expect(said).toMatch(/^router: none of the 1 known instances can be reached either: not ready$/m);
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  expect(Number(/^berth_unheard_seconds (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(UNHEARD_MS / 1000);
  fleet = await Fleet.start({ poolSize: 1, apiPort: Number(manage.port) });
  await until(async () => (await readiness()) === "200", "it is ready again", 5000);
}, 90_000);
