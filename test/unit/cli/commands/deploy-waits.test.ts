import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loaded } from "../../../../cli/commands/deploy/loaded.ts";
import { released } from "../../../../cli/commands/deploy/release.ts";
import { CliError } from "../../../../cli/errors.ts";
import type { ManageClient } from "../../../../cli/manage-client.ts";
import type { FunctionAnswer } from "../../../../pool-manager/api/schemas/answers.ts";

let said: string[];
let asked: string[];
beforeEach(() => {
  vi.useFakeTimers();
  [said, asked] = [[], []];
});
afterEach(() => vi.useRealTimers());

const lost = (code: string) => new CliError(code, code, "");
const pending = { loaded: false, problems: ["pool node: 6 of 6 instances are busy"] };

/** A pool manager that answers so; the last answer is given again and again, each after this time. */
function managerWith(answers: unknown[], afterMs = 0): ManageClient {
  const call = async (method: string, path: string) => {
    asked.push(`${method} ${path}`);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { call } as unknown as ManageClient;
}

async function waits(api: ManageClient, waitMs: number): Promise<unknown> {
  const result = loaded(api, "shop", "r2", { waitMs, say: (text) => said.push(text) }).catch((error: CliError) => error.code);
  await vi.advanceTimersByTimeAsync(waitMs + 60_000);
  return result;
}

describe("a command that waits for a load", () => {
  test("asks again until there is one, and reports the obstacle", async () => {
    const answer = { loaded: true, problems: [], revision: "r2" };
    expect(await waits(managerWith([pending, answer], 10_000), 120_000)).toEqual(answer);
    expect(asked).toEqual(Array(2).fill("POST /v1/functions/shop/revisions/r2/load?wait=10000ms"));
    expect(said).toEqual(["shop: waiting for an instance that loads r2; pool node: 6 of 6 instances are busy"]);
  });

  test("ends at its timeout, and no request asks for more than the remaining time", async () => {
    expect(await waits(managerWith([pending], 4000), 6000)).toBe("LOAD_PENDING");
    expect(asked.map((path) => path.split("wait=")[1])).toEqual(["6000ms", "2000ms"]);
  });

  test("asks the next pool manager if one ends or restarts", async () => {
    const answers = [lost("CONNECTION_LOST"), lost("UNREACHABLE"), lost("LEADER_LOST"), { loaded: true, problems: [] }];
    expect(await waits(managerWith(answers), 120_000)).toMatchObject({ loaded: true });
  });

  test("gives up a pool manager that does not return, and reports at once why code does not load", async () => {
    expect(await waits(managerWith([lost("UNREACHABLE")]), 120_000)).toBe("UNREACHABLE");
    expect(asked.length).toBeGreaterThan(90);
    expect(asked.length).toBeLessThan(110);
    asked = [];
    expect(await waits(managerWith([lost("LOAD_FAILED")]), 120_000)).toBe("LOAD_FAILED");
    expect(asked).toHaveLength(1);
  });
});

test("a canary that does not load gives the shares before it back, and the instances that were kept for them", async () => {
  const before = { revision: "r1", split: { r2: 10 }, minScales: { r2: 1 } } as unknown as FunctionAnswer;
  const bodies: unknown[] = [];
  const call = async (method: string, _path: string, body: unknown) => {
    if (method === "PUT") bodies.push(body);
    if (method === "POST") throw lost("LOAD_FAILED");
    return { revision: "r1", latest: "r3", newRevision: true };
  };
  const release = { manifest: { code: "c" }, before, canary: 10, wait: 1000, say: () => {} };
  await expect(released({ call } as unknown as ManageClient, "shop", release)).rejects.toMatchObject({ code: "LOAD_FAILED" });
  expect(bodies).toEqual([{ split: { r2: 10 }, minScales: { r2: 1 } }]);
});
