import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KubeError } from "../../../../pool-manager/kubernetes/error.ts";
import { Informer } from "../../../../pool-manager/kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../../pool-manager/kubernetes/objects.ts";
import { WatchedServer } from "../../../helpers/servers/watched-server.ts";

let server: WatchedServer;
let reflector: Informer<KubeObject> | undefined;

const known = () => [...(reflector?.all() ?? [])].map(({ metadata }) => metadata.uid).sort();

beforeEach(() => {
  vi.useFakeTimers();
  server = new WatchedServer();
  server.put("a");
  server.put("b");
});
afterEach(() => {
  reflector?.close();
  vi.useRealTimers();
});

describe("a first listing", () => {
  const refused = (status: number) => new KubeError(status, "Refused", `status ${status}`);
  const begun = (error: KubeError) => {
    reflector?.close();
    server.refusal = error;
    reflector = new Informer(server, { path: "/v1/things", onChange: () => {} });
    const told: string[] = [];
    server.onListing = (plural, message) => told.push(`${plural}: ${message}`);
    const ended = reflector.start().then(
      () => "synced",
      ({ message }: Error) => message,
    );
    return { ended, told };
  };

  test.each([401, 403, 429, 500])("that is refused with %i for a moment is awaited, and the refusal is reported", async (status) => {
    const { ended, told } = begun(refused(status));
    await vi.advanceTimersByTimeAsync(2000);
    server.refusal = null;
    await vi.advanceTimersByTimeAsync(5000);
    expect([await ended, known(), told]).toEqual(["synced", ["a", "b"], [`things: status ${status}; it is tried again`, "things: null"]]);
    server.put("c");
    expect([known(), server.watches]).toEqual([["a", "b", "c"], 1]);
  });

  test("that is refused for longer rejects with the reason, and one of a kind that is not there at once", async () => {
    const { ended } = begun(refused(403));
    await vi.advanceTimersByTimeAsync(6000);
    expect(await ended).toMatch(/^status 403 \(tried for \d s\)$/);
    expect(await begun(refused(404)).ended).toBe("status 404");
    await expect(reflector?.startAtOnce()).rejects.toThrow("status 404");
  });

  test("that waits ends when the informer is closed", async () => {
    const { ended } = begun(refused(403));
    await vi.advanceTimersByTimeAsync(1000);
    reflector?.close();
    expect(await ended).toMatch(/abort/i);
  });
});
