import { afterAll, beforeAll, expect, test } from "vitest";
import { startTemporary } from "../../../cli/up.ts";
import { TestBerth } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";
import { Fleet } from "../../helpers/routers.ts";

const CODE = "examples/hello";

let fleet: Fleet;
let behindIngress: TestBerth;
beforeAll(async () => {
  [fleet, behindIngress] = await Promise.all([
    Fleet.start({ poolSize: 1 }),
    startTemporary({ poolSize: 1, invokeUrl: "https://functions.test/berth/" }).then((berth) => new TestBerth(berth)),
  ]);
});
afterAll(() => Promise.all([fleet.close(), behindIngress.close()]));

const berth = (on: TestBerth, ...args: string[]) => runCommand(args, { BERTH_URL: on.berth.manageUrl });

test("a deployment prints no URL where no router is known, and says how one becomes known", async () => {
  const deployed = await berth(fleet.berth, "deploy", "shop", "--from", CODE);
  expect(deployed, deployed.stderr).toMatchObject({ code: 0, stdout: "" });
  expect(deployed.stderr).toContain("--invoke-url");
  expect((await berth(fleet.berth, "list")).stdout).not.toContain("null");
});

test("commands and the API name the URL at which clients reach the routers", async () => {
  const deployed = await berth(behindIngress, "deploy", "shop", "--from", CODE);
  expect(deployed, deployed.stderr).toMatchObject({ code: 0, stdout: "https://functions.test/berth/function/shop\n" });
  expect(await behindIngress.api.get("/v1/status")).toMatchObject({ router: "https://functions.test/berth" });
});

test.each(["functions.test", "ftp://functions.test", "https://functions.test/?a=1", "https:functions.test"])("%s is not such a URL", async (url) => {
  const refused = await runCommand(["manager", "--invoke-url", url, "--api-port", "0"], {});
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("is not a URL");
});
