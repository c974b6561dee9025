import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../../../cli/errors.ts";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { runCommand } from "../../helpers/command.ts";

/** Until the second of two instances serves, and another one has made room; a pod takes longer for that than a process. */
const BUSY_MS = ON_CLUSTER ? 30_000 : 4000;

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1, poolMax: 3 });
});
afterAll(() => berth.close());

const run = (...args: string[]) => runCommand(args, { BERTH_URL: berth.berth.manageUrl });

const says = (text: string) => directoryOf({ "index.mjs": `export default { fetch: () => new Response(${JSON.stringify(text)}) };` });
const BROKEN = "const config = JSON.parse('{}');\n\nexport const port = config.server.port;\nexport default { fetch: () => new Response('never') };\n";
const broken = () => directoryOf({ "index.mjs": BROKEN });
const text = async (name: string) => (await berth.invoke(name)).text();
const view = (name: string) => berth.api.get<{ revision: string; latest: string; split: object; aliases: object }>(`/v1/functions/${name}`);
const remove = (name: string) => run("delete", name);

describe("a deployment whose code does not load", () => {
  test("of a new function fails with the file, the line and the message, and succeeds when it is corrected", async () => {
    const first = await run("deploy", "fresh", "--from", broken());
    expect(first).toMatchObject({ code: EXIT.refused, stdout: "" });
    expect(first.stderr).toMatch(/^error LOAD_FAILED: r1 of fresh does not load: .*Cannot read properties of undefined \(reading 'port'\)/m);
    expect(first.stderr).toMatch(/index\.mjs:3:\d+/);
    expect(first.stderr).toContain("fix: correct the code");
    expect(await run("deploy", "fresh", "--from", says("well"))).toMatchObject({ code: 0, stderr: "deployed fresh as r2\n" });
    expect(await text("fresh")).toBe("well");
    await remove("fresh");
  });

  test("leaves the revision in force where it is, also for invocations in between, and can be deployed again", async () => {
    await run("deploy", "steady", "--from", says("old"));
    const answers = new Set<string>();
    let over = false;
    const invoking = (async () => {
      while (!over) answers.add(await text("steady"));
    })();
    const failed = await run("deploy", "steady", "--from", broken());
    expect(failed.stderr).toContain("r2 of steady does not load, and r1 stays active");
    expect(await run("deploy", "steady", "--from", broken())).toMatchObject({ code: EXIT.refused, stderr: expect.stringContaining("LOAD_FAILED") });
    over = true;
    await invoking;
    expect([...answers]).toEqual(["old"]);
    expect(await view("steady")).toMatchObject({ revision: "r1", latest: "r2", split: {} });
    const settings = await run("deploy", "steady", "--concurrency", "2");
    expect(settings).toMatchObject({ code: 0, stderr: "deployed steady as r3\n" });
    expect(await text("steady")).toBe("old");
    await remove("steady");
  });

  test("fails too where only a setting is wrong, or where the load takes too long", async () => {
    await run("deploy", "set", "--from", says("set"));
    expect((await run("deploy", "set", "--handler", "nothing")).stderr).toContain('no export "nothing"');
    const slow = directoryOf({ "index.mjs": "await new Promise(() => {}); export default {};\n" });
    const late = await run("deploy", "set", "--from", slow, "--load-timeout", "300ms");
    expect(late).toMatchObject({ code: EXIT.refused, stderr: expect.stringContaining("LOAD_FAILED") });
    expect(await text("set")).toBe("set");
    await remove("set");
  });

  test("of a canary takes its share away again; one that loads gets it", async () => {
    await run("deploy", "bird", "--from", says("one"));
    const failed = await run("deploy", "bird", "--from", broken(), "--canary", "100");
    expect(failed).toMatchObject({ code: EXIT.refused, stderr: expect.stringContaining("r2 of bird does not load, and r1 stays active") });
    expect(await view("bird")).toMatchObject({ revision: "r1", split: {} });
    expect((await run("deploy", "bird", "--from", says("two"), "--canary", "100")).stderr).toContain("r3 gets 100 percent");
    expect(await text("bird")).toBe("two");
    await remove("bird");
  });

  test("with a rollout policy ends the rollout before anybody invokes it", async () => {
    await run("deploy", "paced", "--from", says("one"), "--rollout", "50%", "--rollout-interval", "200ms");
    expect((await run("deploy", "paced", "--from", broken())).stderr).toContain("r2 of paced does not load, and r1 stays active");
    expect((await run("deploy", "paced", "--from", says("two"))).stderr).toContain("r3 takes over from r1 step by step");
    await remove("paced");
  });

  test("takes over all the same with --no-wait", async () => {
    await run("deploy", "hasty", "--from", says("old"));
    expect(await run("deploy", "hasty", "--from", broken(), "--no-wait")).toMatchObject({ code: 0, stderr: "deployed hasty as r2\n" });
    expect(await berth.invoke("hasty")).toMatchObject({ status: 502 });
    await remove("hasty");
  });
});

describe("where the pool has no room", () => {
  test("idle instances of others make some, and busy ones are waited for until --wait is over", async () => {
    const busy = `export default { async fetch() { await new Promise((done) => setTimeout(done, ${BUSY_MS})); return new Response("busy"); } };`;
    await berth.deploy("idle", `export default { fetch: () => new Response("idle") };`, { minScale: 0, maxScale: 1 });
    expect(await text("idle")).toBe("idle");
    await berth.deploy("busy", busy, { maxScale: 2, concurrency: 1, timeout: "60s" });
    const running = [berth.invoke("busy"), berth.invoke("busy")];
    await until(async () => (await berth.instances()).filter((row) => row.function === "busy" && row.inFlight > 0).length === 2, "two are busy", 10_000);
    expect(await run("deploy", "squeezed", "--from", says("in"))).toMatchObject({ code: 0 });
    await run("scale", "squeezed", "--min", "1");
    const late = await run("deploy", "late", "--from", says("late"), "--wait", "500ms");
    expect(late).toMatchObject({ code: EXIT.error, stderr: expect.stringMatching(/error LOAD_PENDING: no instance has loaded r1 of late within/) });
    await Promise.all(running);
    expect(await text("late")).toBe("late");
  });
});

describe("the load of a revision by the API", () => {
  const load = (name: string, revision: string, wait = "5s") => berth.api.call("POST", `/v1/functions/${name}/revisions/${revision}/load?wait=${wait}`);

  test("is refused for revisions that there are not, that nobody invokes, and for waits that are none", async () => {
    for (const name of ["late", "squeezed", "idle", "busy"]) await remove(name);
    await berth.deploy("named", `export default { fetch: () => new Response("1") };`);
    await berth.deploy("named", `export default { fetch: () => new Response("2") };`);
    await expect(load("nobody", "r1")).rejects.toMatchObject({ code: "FUNCTION_NOT_FOUND" });
    await expect(load("named", "r9")).rejects.toMatchObject({ code: "REVISION_NOT_FOUND" });
    await expect(load("named", "r1")).rejects.toMatchObject({ code: "REVISION_SUPERSEDED" });
    for (const wait of ["1d", "soon", "-1s"])
      await expect(load("named", "r2", wait)).rejects.toMatchObject({ code: "PARAMETER_INVALID", message: expect.stringMatching(/^wait: /) });
    expect(await load("named", "r2")).toMatchObject({ loaded: true, revision: "r2", instances: { warm: 1 } });
  });

  test("of a function that is deleted meanwhile ends", async () => {
    await berth.deploy("goes", "await new Promise(() => {}); export default {};", { loadTimeout: "20s" });
    const waiting = load("goes", "r1", "20s");
    const ended = expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/FUNCTION_NOT_FOUND|REVISION_SUPERSEDED/) });
    await remove("goes");
    await ended;
  });

  test("a body's onceLoaded has to be true or false", async () => {
    await expect(berth.api.call("PATCH", "/v1/functions/named", { onceLoaded: "yes" })).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
      message: expect.stringContaining("onceLoaded"),
    });
  });
});
