import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundlePython } from "../../../cli/bundle/python/bundle-python.ts";
import { findPythonSource } from "../../../cli/bundle/python/python-source.ts";
import { until } from "../../helpers/berth.ts";
import { PYTHON } from "../../helpers/python.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

/** Long enough for the first build of the image, which is kept. */
const START_MS = 120_000;

let cluster: ClusterBerth;
let version: string;
const dir = mkdtempSync(join(tmpdir(), "berth-test-"));

beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 1 });
  const status = await cluster.berth.api.get<{ runtimes: string[]; python: string }>("/v1/status");
  expect(status.runtimes).toContain("python");
  version = status.python;
}, START_MS);
afterAll(() => cluster.finish());

const APP = `import os, sys
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def read():
    print("asked", os.environ["ANSWER"])
    return {"answer": os.environ["ANSWER"], "version": "%d.%d" % sys.version_info[:2]}
`;

/** An application of FastAPI with its packages for Linux x86-64. */
async function upload(): Promise<string> {
  writeFileSync(join(dir, "main.py"), APP);
  writeFileSync(join(dir, "requirements.txt"), "fastapi==0.115.12\n");
  return cluster.berth.api.upload(await bundlePython(findPythonSource(dir), { runs: { version, isHere: false } }));
}

test.skipIf(!PYTHON)(
  "FastAPI is prewarmed, takes a new revision in place without a failed invocation, and its output is in the log",
  { timeout: START_MS },
  async () => {
    const { berth, view } = cluster;
    const code = await upload();
    const deploy = (answer: string) => berth.api.call("PUT", "/v1/functions/api", { code, runtime: "python", concurrency: 4, env: { ANSWER: answer } });
    await deploy("one");
    await until(async () => (await berth.instances()).some(({ pool, state }) => pool === "python" && state === "prewarmed"), "the pool is filled");
    const first = await berth.invoke("api");
    expect([first.status, first.headers.get("x-berth-start"), await first.json()]).toEqual([200, "prewarmed", { answer: "one", version }]);
    const [pod] = (await cluster.allWarm("api")).map(({ uid }) => uid);

    const answers: string[] = [];
    let going = true;
    const load = (async () => {
      while (going) {
        const response = await berth.invoke("api");
        answers.push(response.status === 200 ? ((await response.json()) as { answer: string }).answer : `${response.status} ${await response.text()}`);
      }
    })();
    await deploy("two");
    await until(async () => answers.at(-1) === "two", "the new revision answers");
    going = false;
    await load;
    expect([...new Set(answers)]).toEqual(["one", "two"]);
    expect((await cluster.allWarm("api")).map(({ uid }) => uid)).toContain(pod);
    await until(async () => (await view.functionSets()).length === 1, "it has a CloneSet");
    const { items } = await berth.api.get<{ items: { message: string }[] }>("/v1/functions/api/logs");
    expect(items.map(({ message }) => message).join("\n")).toContain("asked two");
  },
);
