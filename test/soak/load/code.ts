/**
 * The functions of a soak. Each begins by telling the run counter that it runs (again until that is heard, under the same
 * name); then it waits for `ms`, reads the body, and answers what it is. Its instance's uid is in its supervisor's environment.
 */
export function source(name: string, tag: string, counterUrl: string): string {
  return `import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
const environment = readFileSync("/proc/" + process.ppid + "/environ", "latin1").split("\\0");
const INSTANCE = environment.find((line) => line.startsWith("BERTH_INSTANCE_UID=")).slice("BERTH_INSTANCE_UID=".length);
const TAG = ${JSON.stringify(tag)};
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const run = JSON.stringify({ run: randomUUID(), id: searchParams.get("id"), function: ${JSON.stringify(name)}, tag: TAG, instance: INSTANCE });
    for (let tries = 0; ; tries++) {
      const heard = await fetch(${JSON.stringify(counterUrl)}, { method: "POST", body: run }).then(({ ok }) => ok, () => false);
      if (heard) break;
      if (tries === 20) return new Response("the run counter does not answer", { status: 500 });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { length } = await request.text();
    await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get("ms"))));
    return Response.json({ tag: TAG, length });
  },
};`;
}

/** Code that never loads. */
export function broken(tag: string): string {
  return `throw new Error(${JSON.stringify(`${tag} does not load`)});`;
}
