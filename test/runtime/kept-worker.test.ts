import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test, vi } from "vitest";
import { draining } from "../../runtime-images/protocol/conformance/draining.ts";
import { newRevision } from "../../runtime-images/protocol/conformance/new-revision.ts";
import { echo, HEADERS, invoke, load, loaded } from "../../runtime-images/protocol/conformance/subject.ts";
import { endSubjects, startSubject, supervisors } from "../helpers/subjects/runtime-subject.ts";
import { NODE } from "./node-language.ts";

const hello = (word: string) => `export default { fetch: () => new Response('${word}') };`;
const childrenOf = (pid: number) =>
  execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map(Number);

afterEach(endSubjects);

describe("an instance that keeps a worker for the next revision", () => {
  for (const check of [...newRevision, ...draining]) test(check.name, async () => check.run(await startSubject(NODE, true)));

  test("loads each revision in a worker of its own, whose process is there before", async () => {
    const samples = { ...NODE.samples, hello: hello("one"), slow: hello("two"), env: hello("three") };
    const subject = await startSubject({ ...NODE, samples }, true);
    const seen: string[] = [];
    for (const [at, sample] of (["hello", "slow", "env"] as const).entries()) {
      const revision = `r${at + 1}`;
      await load(subject, sample, {}, { revision });
      await loaded(subject);
      const { port } = await echo(subject);
      seen.push(`${port} ${(await invoke(subject, port, { headers: { ...HEADERS, "x-berth-revision": revision } })).body}`);
    }
    expect(seen.map((text) => text.split(" ")[1])).toEqual(["one", "two", "three"]);
    expect(new Set(seen).size).toBe(3);
  });

  test("starts another one if the kept one has ended", async () => {
    const subject = await startSubject(NODE, true);
    await load(subject, "hello");
    await loaded(subject);
    const [supervisor = 0] = supervisors();
    await vi.waitFor(() => expect(childrenOf(supervisor).length).toBe(2), 5000);
    process.kill(Math.max(...childrenOf(supervisor)), "SIGKILL");
    // Once the supervisor has reaped it, it knows.
    await vi.waitFor(() => expect(childrenOf(supervisor).length).toBe(1), 5000);
    await load(subject, "slow", {}, { revision: "r2" });
    await loaded(subject);
    const { port } = await echo(subject);
    expect((await invoke(subject, port, { headers: { ...HEADERS, "x-berth-revision": "r2" } })).body).toBe("slow");
  });
});
