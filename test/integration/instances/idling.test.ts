import { afterEach, expect, test } from "vitest";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
afterEach(() => berth.close());

interface View {
  idleTimeout: string;
  idling: { pauseMs: number; keepMs: number; reason: string } | null;
}

test("idleTimeout auto is set through the API, shown with its reason, and ends with a duration", async () => {
  berth = await TestBerth.start({ poolSize: 1 });
  await berth.deploy("quiet", ECHO, { idleTimeout: "auto" });
  const view = () => berth.api.get<View>("/v1/functions/quiet");
  expect(await view()).toMatchObject({
    idleTimeout: "auto",
    idling: { pauseMs: 0, keepMs: 600_000, reason: expect.stringContaining("the standard time, until 5 idle times are known") },
  });

  const invoked = async () => {
    expect((await berth.invoke("quiet")).status).toBe(200);
    return (await view()).idling?.reason.startsWith("an instance for 1 min") === true;
  };
  await until(invoked, "its idle times between invocations are known", 20_000);
  const { items } = await berth.api.get<{ items: { inputs: { bins: number[][] } }[] }>("/v1/functions/quiet/decisions");
  expect(items[0]?.inputs.bins).toEqual([[0, expect.any(Number)]]);

  await berth.api.call("PATCH", "/v1/functions/quiet", { idleTimeout: "500ms" });
  expect(await view()).toMatchObject({ idleTimeout: "500ms", idling: null });
  await until(async () => !(await berth.instances()).some((instance) => instance.function === "quiet"), "the idle instance is removed");
  await expect(berth.api.call("PATCH", "/v1/functions/quiet", { idleTimeout: "automatic" })).rejects.toThrow(/idleTimeout: must be a duration/);
});
