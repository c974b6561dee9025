import { FakePlatform } from "../fakes/fake-platform.ts";
import { platformContract } from "./contract.ts";

platformContract("fake", async () => {
  const platform = new FakePlatform({
    now: () => performance.now(),
    deliver: (_what, effect) => void setImmediate(effect),
    after: (ms, effect) => void setTimeout(effect, ms).unref(),
    call: async (_what, work) => work(),
  });
  return {
    platform,
    code: new Uint8Array(),
    kill: ({ uid }) => platform.kill(uid),
    print: async ({ uid }) => platform.log(uid, "printed"),
  };
});
