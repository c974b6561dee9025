import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ON_CLUSTER, TestBerth } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1 });
});
afterAll(() => berth.close());

const put = (body: object) => berth.api.call("PUT", "/v1/functions/image", body);
const IMAGE = "registry.example.org/team/api:1";

describe.skipIf(ON_CLUSTER)("an image on a Berth without containers", () => {
  test.each<[string, object, string, string]>([
    ["is refused, with what runs here", { image: IMAGE }, "IMAGE_NEEDS_CLUSTER", "cannot be run here: instances are processes of this machine"],
    ["of another runtime than custom", { image: IMAGE, runtime: "node" }, "MANIFEST_INVALID", "is for the runtime custom, and this is node"],
    ["beside code", { image: IMAGE, code: `sha256:${"a".repeat(64)}` }, "MANIFEST_INVALID", "a function is an image or code, and not both"],
    ["that is no reference", { image: "no image!" }, "MANIFEST_INVALID", "must be a reference of an image"],
    ["without a name", { image: "registry.example.org:5000/" }, "IMAGE_NEEDS_CLUSTER", "cannot be run here"],
    ["with another error in its manifest is not asked for", { image: IMAGE, timeout: "never" }, "MANIFEST_INVALID", "timeout"],
  ])("%s", async (_what, body, code, message) => {
    await expect(put(body)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    await expect(berth.api.get("/v1/functions/image")).rejects.toMatchObject({ code: "FUNCTION_NOT_FOUND" });
  });
});
