import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { PYTHON, PYTHON_VERSION } from "../../helpers/python.ts";

/** A pool of processes imports the entry module to find what it runs, unless its processes are forks. */
const PROCESSES = `import concurrent.futures, multiprocessing
def square(n):
    return n * n
def lambda_handler(event, context):
    method = multiprocessing.get_context(event["rawPath"][1:] or None)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=method) as pool:
        return list(pool.map(square, [2, 3], timeout=20))`;

/** The packages of a deployment for CPython 3.9, on which no function runs. */
const OF_ANOTHER = { "site-packages/native/__init__.py": "from . import part", "site-packages/native/part.cpython-39-x86_64-linux-gnu.so": "" };

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1 });
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => berth.close());

async function deploy(name: string, files: Record<string, string>, to = berth): Promise<void> {
  const code = await to.api.upload(await packLayer(Object.entries(files).map(([path, text]) => ({ path, data: Buffer.from(text) }))));
  await to.api.call("PUT", `/v1/functions/${name}`, { runtime: "python", code });
}

describe.skipIf(ON_CLUSTER || PYTHON === null)("what differs from one version of Python to another", () => {
  // The default is fork until 3.13 and forkserver from 3.14 on.
  test.each(["", "fork", "spawn", "forkserver"])("a function runs its code in other processes of multiprocessing: %j", async (method) => {
    await deploy("processes", { "main.py": PROCESSES });
    const response = await berth.invoke("processes", {}, `/${method}`);
    expect([response.status, await response.text()]).toEqual([200, "[4, 9]"]);
  });

  test("packages that were installed for another version are the reason that an import fails", async () => {
    await deploy("packages", { "main.py": "import native", ...OF_ANOTHER });
    const response = await berth.invoke("packages");
    expect([response.status, response.headers.get("x-berth-error")]).toEqual([502, "FUNCTION_LOAD_FAILED"]);
    expect(await response.text()).toMatch(
      /"main\.py:1: the packages of this function were installed for Python 3\.9, and it runs on 3\.\d+: deploy it again \(ImportError: /,
    );
  });

  test("they are not the reason of another error", async () => {
    await deploy("packages", { "main.py": "import missing", "site-packages/other.abi3.so": "" });
    expect(await (await berth.invoke("packages")).text()).toContain('"main.py:1: ModuleNotFoundError: No module named');
    await deploy("packages", { "main.py": "1 / 0", ...OF_ANOTHER });
    expect(await (await berth.invoke("packages")).text()).toContain('"main.py:1: ZeroDivisionError: ');
  });

  test("code that was compiled for another version says so in its log", async () => {
    await deploy("compiled", { "main.py": "def lambda_handler(event, context): return 'ok'", "__pycache__/main.cpython-39.pyc": "" });
    expect(await (await berth.invoke("compiled")).text()).toBe("ok");
    const logs = async () => JSON.stringify(await berth.api.get("/v1/functions/compiled/logs"));
    await until(async () => (await logs()).includes("this function was compiled for Python 3.9, and it runs on 3."), "it is in the log");
  });

  test("without an interpreter invocations are answered at once with the reason, and other runtimes serve", async () => {
    const stateDir = directoryOf({});
    const first = await TestBerth.start({ poolSize: 1, stateDir });
    await deploy("kept", { "main.py": "def lambda_handler(event, context): return 'ok'" }, first);
    await first.close();
    vi.stubEnv("BERTH_PYTHON", "/no/such/python3");
    const second = await TestBerth.start({ poolSize: 1, stateDir });
    try {
      const response = await second.invoke("kept");
      expect([response.status, response.headers.get("x-berth-error")]).toEqual([503, "RUNTIME_UNAVAILABLE"]);
      expect(await response.text()).toContain("the runtime python is not offered: /no/such/python3 does not run");
      await second.deploy("other", "export default { fetch: () => new Response('ok') };");
      expect(await (await second.invoke("other")).text()).toBe("ok");
    } finally {
      await second.close();
    }
  });

  test.runIf((PYTHON_VERSION?.[1] ?? 0) >= 14)("annotations of a handler may name what is not defined", async () => {
    await deploy("annotated", { "main.py": "def lambda_handler(event: Undefined, context: Undefined): return 'ok'" });
    expect(await (await berth.invoke("annotated")).text()).toBe("ok");
  });
});
