import { expect, test, vi } from "vitest";
import type { FunctionResource } from "../../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import { eachWithFunctions, PATH, registry, resource, server, store } from "../../../../../helpers/subjects/function-store.ts";

eachWithFunctions();

const IDLE = { status: "Unknown", reason: "Idle", message: "" } as const;
const selector = () => `berth.dev/function=${registry.get("a").uid}`;
const edit = (status: object) => server.replace(`${PATH}/a/status`, { metadata: (resource("a") as FunctionResource).metadata, status });

test("a report tells the scale subresource which pods are the function's, also of a function that an earlier version stored", async () => {
  expect(resource("a")?.status?.selector).toBeUndefined();
  await store.report("a", 0, IDLE);
  expect(resource("a")?.status?.selector).toBe(selector());
});

test("a selector that somebody edits is put back by the next report, which otherwise writes nothing", async () => {
  await store.report("a", 0, IDLE);
  await edit({ ...(resource("a")?.status ?? {}), selector: "app=other" });
  await vi.advanceTimersByTimeAsync(500);
  await store.report("a", 0, IDLE);
  expect(resource("a")?.status?.selector).toBe(selector());
  const replace = vi.spyOn(server, "replace");
  await store.report("a", 0, IDLE);
  expect(replace).not.toHaveBeenCalled();
});

test("a definition without selectors is not written to again and again", async () => {
  const replace = server.replace.bind(server);
  const spied = vi.spyOn(server, "replace").mockImplementation(async (path, body) => {
    const { selector: _, ...status } = (body as FunctionResource).status ?? {};
    return replace(path, { ...(body as FunctionResource), status });
  });
  for (let i = 0; i < 10; i++) await store.report("a", 0, IDLE);
  // The status, and once more the condition that says what was dropped.
  expect(spied.mock.calls.length).toBeLessThanOrEqual(2);
});
