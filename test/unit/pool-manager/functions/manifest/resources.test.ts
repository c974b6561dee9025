import { expect, test } from "vitest";
import { DEFAULTS, type InForce, parseManifest, patchManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { formatBytes, formatCpu, parseBytes, parseCpu } from "../../../../../pool-manager/functions/manifest/quantity.ts";
import { shownResources } from "../../../../../pool-manager/functions/manifest/resources.ts";
import { hashOf } from "../../../../../pool-manager/functions/revisions.ts";

const GIB = 2 ** 30;
const BOUNDS = { memoryBytes: 24 * GIB, cpuMillis: 2000, of: "this machine", fix: "run Berth on a larger one" };
const whole = (input: unknown, bounds: typeof BOUNDS | null = null) => parseManifest(input, ["node", "python", "custom"], bounds);
const patched = (input: unknown, resources: InForce["resources"]) => patchManifest(input, ["node"], { ...DEFAULTS, name: "f", lostSecrets: [], resources });

test.each([
  ["256Mi", 256 * 2 ** 20, "256Mi"],
  ["1.5Gi", 1.5 * GIB, "1536Mi"],
  ["500M", 500e6, "500000000"],
  ["1k", 1000, "1000"],
  ["1Ti", 2 ** 40, "1Ti"],
  [134217728, 134217728, "128Mi"],
  ["0.3", 1, "1"],
])("%s is %d bytes, shown as %s", (text, bytes, shown) => {
  expect(parseBytes(text)).toBe(bytes);
  expect(formatBytes(bytes)).toBe(shown);
});

test.each(["", "Mi", "1m", "1 Gi", "-1Gi", "1gi", "1e3", "1GiB", "999999999Ti", "NaN"])("%s is no amount of memory", (text) => {
  expect(parseBytes(text)).toBeNull();
});

test.each([
  ["500m", 500, "500m"],
  ["0.5", 500, "500m"],
  [0.07, 70, "70m"],
  ["2", 2000, "2"],
  ["1500m", 1500, "1500m"],
  ["0.0001", 1, "1m"],
])("%s is %d thousandths of a processor, shown as %s", (text, millis, shown) => {
  expect(parseCpu(text)).toBe(millis);
  expect(formatCpu(millis)).toBe(shown);
});

test.each(["", "m", "1u", "-1", "1e3", ".5"])("%s is no share of processors", (text) => expect(parseCpu(text)).toBeNull());

test("limits are read, what is left out is not limited, and they are shown as they were written", () => {
  const { resources } = whole({ memory: "256Mi", cpu: "500m", ephemeralStorage: "1Gi", pids: 64 });
  expect(resources).toEqual({ memoryBytes: 256 * 2 ** 20, cpuMillis: 500, storageBytes: GIB, pids: 64 });
  expect(shownResources(resources)).toEqual({ memory: "256Mi", cpu: "500m", ephemeralStorage: "1Gi", pids: 64 });
  expect(whole({}).resources).toEqual({});
  expect(shownResources({})).toEqual({ memory: null, cpu: null, ephemeralStorage: null, pids: null });
});

test("a change keeps the limits that it leaves out, and null takes one away", () => {
  const before = { memoryBytes: GIB, pids: 100 };
  expect(patched({ cpu: 1 }, before).resources).toEqual({ ...before, cpuMillis: 1000 });
  expect(patched({ memory: null, cpu: null }, before).resources).toEqual({ pids: 100 });
  expect(patched({}, before).resources).toEqual(before);
});

test.each<[object, string, string]>([
  [{ memory: "0" }, "MANIFEST_INVALID", 'memory: must be an amount from 48Mi to 8Ti, and is "0"'],
  [{ memory: "256m" }, "MANIFEST_INVALID", 'memory: must be an amount such as "256Mi"'],
  [{ memory: "50Mi" }, "MANIFEST_INVALID", "memory: 50Mi is less than a worker of the runtime node itself needs; give it at least 64Mi"],
  [{ memory: "25Gi" }, "RESOURCES_UNAVAILABLE", "memory: 25Gi is more than the 24Gi of this machine; run Berth on a larger one"],
  [{ cpu: "0" }, "MANIFEST_INVALID", 'cpu: must be a share of processors from 10m to 1024, and is "0"'],
  [{ cpu: "half" }, "MANIFEST_INVALID", 'cpu: must be a number of processors such as "500m"'],
  [{ cpu: 3 }, "RESOURCES_UNAVAILABLE", "cpu: 3 is more than the 2 of this machine"],
  [{ ephemeralStorage: "1k" }, "MANIFEST_INVALID", "ephemeralStorage: must be an amount from 1Mi to 8Ti"],
  [{ pids: 5 }, "MANIFEST_INVALID", "pids: must be an integer from 32 to 1000000, and is the number 5"],
])("%j is refused as %s", (input, code, message) => {
  expect(() => whole(input, BOUNDS)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});

test("limits are part of a revision's content, and a revision without any has the hash that it always had", () => {
  const code = { layer: "sha256:1", entry: "index.mjs" };
  const [none, some, others] = [{}, { memory: "1Gi" }, { memory: "2Gi" }].map((input) => hashOf(whole(input), code));
  expect(new Set([none, some, others]).size).toBe(3);
  expect(none).toBe("c6841838cbaff048d836867e54ecf0d0c56cf2bfebd76b134f7a24e43592c309");
});
