import { describe, expect, test } from "vitest";
import { DEFAULTS, type InForce, type Manifest, parseManifest, patchManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { nearest } from "../../../../../pool-manager/functions/manifest/nearest.ts";
import { parseCanary, parseTraffic } from "../../../../../pool-manager/functions/traffic.ts";

const whole = (input: unknown) => parseManifest(input, ["node"]);
const inForce = (change: Partial<InForce> = {}): InForce => ({ ...DEFAULTS, name: "f", lostSecrets: [], ...change });
const patched = (input: unknown, change: Partial<InForce> = {}) => patchManifest(input, ["node"], inForce(change));

/** The error's text, or "accepted". */
function refused(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    return (error as Error).message;
  }
  return "accepted";
}

test("a runtime that is not offered here, and a signature of another runtime, are refused with the available ones", () => {
  expect(() => whole({ runtime: "python" })).toThrow(expect.objectContaining({ code: "RUNTIME_UNAVAILABLE", field: "runtime" }));
  expect(() => whole({ runtime: "cobol" })).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID", field: "runtime" }));
  expect(refused(() => whole({ signature: "wsgi" }))).toContain(
    '"wsgi" is not a signature of the runtime node; there is: fetch, lambda, lambda-1.0, node, event',
  );
  const python = (signature: string) => refused(() => parseManifest({ runtime: "python", signature }, ["node", "python"]));
  expect([python("wsgi"), python("lambda-1.0")]).toEqual(["accepted", "accepted"]);
  expect(python("fetch")).toContain('"fetch" is not a signature of the runtime python; there is: asgi, wsgi, http');
});

describe("a wrong field is named, with a right one", () => {
  const names = "use up to 256 letters, digits and _, and do not begin with a digit";
  const duration = 'must be a duration such as "500ms", "30s", "5m" or "1h" (use ms, s, m or h), or a number of seconds';
  test.each<[object, string]>([
    [{ timout: "5s" }, "timout: unknown field timout; did you mean timeout?"],
    [{ "max-scale": 5 }, "max-scale: unknown field max-scale; did you mean maxScale?"],
    [{ min: 5 }, "min: unknown field min; did you mean minScale?"],
    [{ environment: {} }, "environment: unknown field environment; there is runtime, handler"],
    [Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, 1])), "f0: unknown field f0; there is runtime, handler"],
    [{ env: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`a-${i}`, "1"])) }, `env.a-0: "a-0" is not a valid variable name: ${names}`],
    [{ env: { ["A".repeat(257)]: "1" } }, `is not a valid variable name: ${names}`],
    [{ rollout: { stpes: [1] } }, "rollout.stpes: unknown field stpes; did you mean steps?"],
    [{ env: { "MY-VAR": "1" } }, `env.MY-VAR: "MY-VAR" is not a valid variable name: ${names}`],
    [{ secrets: { "": "1" } }, `secrets.: "" is not a valid variable name: ${names}`],
    [{ env: { A: 5 } }, "env.A: must be a string, and is the number 5"],
    [{ env: { A: true } }, "env.A: must be a string, and is the boolean true"],
    [{ env: { A: null } }, "env.A: must be a string, and is null"],
    [{ secrets: { A: 12345 } }, "secrets.A: must be a string, and is a number"],
    [{ env: ["A=1"] }, "env: must be an object, and is an array"],
    [{ env: { A: "x".repeat(40_000) } }, "env.A: must have at most 32768 characters"],
    [{ timeout: "1d" }, `timeout: ${duration}, and is the string "1d"`],
    [{ timeout: true }, `timeout: ${duration}, and is the boolean true`],
    [{ timeout: "9h" }, 'timeout: must be a duration from 1ms to 1h, and is "9h"'],
    [{ rollout: { interval: "1 s" } }, `rollout.interval: ${duration}, and is the string "1 s"`],
    [{ rollout: { steps: ["0%"] } }, 'rollout.steps.0: must be an integer from 1 to 1000 or a share such as "25%", and is the string "0%"'],
    [{ scaling: "window" }, 'scaling: must be an object, and is the string "window"'],
    [{ scaling: { windwo: "60s" } }, "scaling.windwo: unknown field windwo; did you mean window?"],
    [{ scaling: { window: "500ms" } }, 'scaling.window: must be a duration from 1s to 1h, and is "500ms"'],
    [{ scaling: { target: 5 } }, "scaling.target: must be an integer from 10 to 100, and is the number 5"],
    [{ scaling: { maxScaleUpRate: 1 } }, "scaling.maxScaleUpRate: must be a number from 1.1 to 1000, and is the number 1"],
    [{ scaling: { activationScale: 5 }, maxScale: 4 }, "scaling.activationScale: 5 is above maxScale 4"],
    [{ rollout: 5 }, "rollout: must be an object, and is the number 5"],
    [{ concurrency: "5" }, 'concurrency: must be an integer from 1 to 1000, and is the string "5"'],
    [{ concurrency: 1.5 }, "concurrency: must be an integer from 1 to 1000, and is the number 1.5"],
    [
      { signature: "express" },
      'signature: must be fetch, lambda, lambda-1.0, node, event, asgi, wsgi, http, cloud_event or server, and is the string "express"',
    ],
    [{ handler: "a b" }, 'handler: must be the name of an export: letters, digits, _ and $, and is the string "a b"'],
    [{ runtime: "cobol" }, 'runtime: "cobol" is not a runtime here; there is: node'],
    [["a"], "manifest: must be an object, and is an array"],
  ])("%j", (input, message) => {
    expect(refused(() => whole(input))).toContain(message);
    if (!message.includes("null")) expect(refused(() => patched(input))).toContain(message);
  });

  test.each([{ ["f".repeat(10_000)]: 1 }, { env: { ["a-".repeat(10_000)]: "1" } }, { rollout: { ["f".repeat(10_000)]: 1 } }])(
    "a long name is not repeated whole",
    (input) => {
      for (const attempt of [() => whole(input), () => patched(input)]) {
        expect(attempt).toThrowError(expect.objectContaining({ message: expect.stringMatching(/^.{1,600}$/), field: expect.stringMatching(/^.{1,100}$/) }));
      }
    },
  );

  test("a value below secrets is never repeated", () => {
    expect(refused(() => whole({ secrets: { A: ["hunter2"], B: 5 } }))).not.toContain("hunter2");
    expect(refused(() => whole({ secrets: { A: 5_550_100 } }))).not.toContain("5550100");
  });

  test("of traffic too", () => {
    expect(refused(() => parseTraffic({ splt: {} }))).toBe("splt: unknown field splt; did you mean split?");
    expect(refused(() => parseTraffic({ split: { next: 5 } }))).toBe('split.next: "next" is not a revision such as r3');
    expect(refused(() => parseTraffic({ split: { r1: "5" } }))).toBe('split.r1: must be an integer from 0 to 100, and is the string "5"');
    expect(refused(() => parseTraffic({ aliases: { r3: "r1" } }))).toMatch(/^aliases\.r3: "r3" is not a valid alias/);
  });
});

describe("numbers at their bounds and beyond", () => {
  const field = (name: string) => (value: unknown) => whole({ maxScale: 1000, [name]: value });
  const cases: [string, (value: unknown) => unknown, number, number][] = [
    ["concurrency", field("concurrency"), 1, 1000],
    ["minScale", field("minScale"), 0, 1000],
    ["maxScale", field("maxScale"), 1, 1000],
    ["queueDepth", field("queueDepth"), 0, 100_000],
    ["rollout.parallel", (parallel) => whole({ rollout: { parallel } }), 1, 1000],
    ["rollout.maxErrors", (maxErrors) => whole({ rollout: { maxErrors } }), 0, 100],
    ["rollout.steps", (step) => whole({ rollout: { steps: [step] } }), 1, 1000],
    ["canary", parseCanary, 0, 100],
    ["split", (r2) => parseTraffic({ split: { r2 } }), 0, 100],
  ];
  test.each(cases)("%s", (_name, parse, min, max) => {
    for (const good of [min, max, 1]) expect([good, refused(() => parse(good))]).toEqual([good, "accepted"]);
    for (const bad of [min - 1, max + 1, -1, 1.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY, "1", "", true, null, [], {}]) {
      expect([bad, refused(() => parse(bad))]).not.toEqual([bad, "accepted"]);
    }
  });

  const durations: [string, number, number][] = [
    ["timeout", 1, 3_600_000],
    ["loadTimeout", 50, 300_000],
    ["idleTimeout", 1, 86_400_000],
    ["queueTimeout", 1, 600_000],
    ["rollout.interval", 0, 86_400_000],
  ];
  test.each(durations)("%s, in each notation", (name, min, max) => {
    const parse = (value: unknown) => (name === "rollout.interval" ? whole({ rollout: { interval: value } }) : whole({ [name]: value }));
    for (const good of [`${min}ms`, `${max}ms`, `${max / 1000}s`, `${max / 60_000}m`, max / 1000, min / 1000, "1s", 1]) {
      expect([good, refused(() => parse(good))]).toEqual([good, "accepted"]);
    }
    for (const bad of [`${max + 1}ms`, `${"9".repeat(400)}s`, "-1s", -1, "1d", "1 s", "s", "", "1e3s", "1S", true, [], {}, Number.NaN]) {
      expect([bad, refused(() => parse(bad))]).not.toEqual([bad, "accepted"]);
    }
    expect(refused(() => parse(0))).toEqual(min === 0 ? "accepted" : expect.stringContaining("must be a duration from"));
  });
});

describe("a change", () => {
  const base = { env: { A: "1", B: "2" }, secrets: { S: "x" }, timeoutMs: 5000, handler: "main", maxScale: 50 } satisfies Partial<Manifest>;
  test.each<[string, object, Partial<Manifest>]>([
    ["adds a variable and keeps the others", { env: { C: "3" } }, { env: { A: "1", B: "2", C: "3" }, secrets: { S: "x" } }],
    ["adds a secret and keeps the others", { secrets: { T: "y" } }, { secrets: { S: "x", T: "y" }, env: { A: "1", B: "2" } }],
    ["replaces a value, also by an empty one", { env: { A: "" } }, { env: { A: "", B: "2" } }],
    ["takes one away by null, and one that is not there", { env: { A: null, Z: null }, secrets: { S: null } }, { env: { B: "2" }, secrets: {} }],
    ["takes all away by null", { env: null }, { env: {}, secrets: { S: "x" } }],
    ["of nothing changes nothing", { env: {}, secrets: {} }, base],
    ["turns a secret into a variable", { secrets: { S: null }, env: { S: "open" } }, { env: { A: "1", B: "2", S: "open" }, secrets: {} }],
    ["goes back to a default by null", { timeout: null, handler: null, maxScale: null }, { timeoutMs: 30_000, handler: null, maxScale: 20, env: base.env }],
    ["is checked beside what is in force", { minScale: 30 }, { minScale: 30, maxScale: 50 }],
  ])("%s", (_what, change, expected) => {
    expect(patched(change, base)).toMatchObject(expected);
    const { env, secrets } = patched(change, base);
    if (expected.env) expect(env).toEqual(expected.env);
    if (expected.secrets) expect(secrets).toEqual(expected.secrets);
  });

  test("of a rollout policy changes what it names", () => {
    const rollout = { steps: [1], intervalMs: 5000, parallel: 3, maxErrors: 9 };
    expect(patched({ rollout: { interval: "1s", maxErrors: null } }, { rollout }).rollout).toEqual({ ...rollout, intervalMs: 1000, maxErrors: 5 });
    expect(patched({ rollout: null }, { rollout }).rollout).toBeNull();
  });

  test("needs the lost secrets that it keeps, and no others", () => {
    const lost = { lostSecrets: ["T", "U"] };
    expect(refused(() => patched({ minScale: 1 }, lost))).toBe("the values of secrets of f are lost: T, U");
    expect(refused(() => patched({ secrets: { T: "t" } }, lost))).toBe("the values of secrets of f are lost: U");
    expect(patched({ secrets: { T: "t", U: null } }, lost).secrets).toEqual({ T: "t" });
    expect(patched({ secrets: null }, lost).secrets).toEqual({});
  });

  test("may leave a variable that only an older Berth accepted", () => {
    expect(patched({ minScale: 1 }, { env: { NODE_DEBUG: "http" } }).env).toEqual({ NODE_DEBUG: "http" });
    expect(patched({ env: { NODE_DEBUG: null } }, { env: { NODE_DEBUG: "http" } }).env).toEqual({});
  });
});

describe("names of variables", () => {
  test.each(["NODE_EXTRA_CA_CERTS", "NODE_PATH", "NODE_ICU_DATA", "NODE_DEBUG", "NODE_NO_WARNINGS", "NODE_V8_COVERAGE", "NODE_USE_ENV_PROXY"])(
    "%s is refused: Node has read it before",
    (name) => {
      for (const field of ["env", "secrets"]) {
        expect(refused(() => whole({ [field]: { [name]: "1" } }))).toContain(`${field}.${name}: is read only when a process starts`);
        expect(refused(() => patched({ [field]: { [name]: "1" } }))).toContain("is read only when a process starts");
      }
    },
  );

  test("NODE_OPTIONS and Berth's own are reserved; names that Node reads later, or not at all, are free", () => {
    expect(refused(() => whole({ env: { NODE_OPTIONS: "--inspect" } }))).toContain("env.NODE_OPTIONS: is reserved");
    const free = { NODE_ENV: "production", NODE_TLS_REJECT_UNAUTHORIZED: "0", UV_THREADPOOL_SIZE: "8", TZ: "UTC", NO_COLOR: "1", NODE_CONFIG_DIR: "c" };
    expect(whole({ env: free }).env).toEqual(free);
  });

  test("that are members of every object are names like others", () => {
    const secrets = JSON.parse('{"toString": "a", "constructor": "b", "hasOwnProperty": "c", "__proto__": "d"}') as object;
    expect(Object.entries(whole({ secrets }).secrets)).toEqual(Object.entries(secrets));
    expect(Object.entries(patched({ env: secrets }).env)).toEqual(Object.entries(secrets));
    expect(refused(() => whole({ env: { toString: "1" }, secrets: { toString: "2" } }))).toContain("secrets.toString: is also a variable under env");
  });
});

test("the nearest name has the same beginning or differs least, and is missing if none is similar", () => {
  const known = ["timeout", "loadTimeout", "queueTimeout", "minScale", "maxScale", "env"];
  const meant = (typed: string) => nearest(typed, known);
  expect(["timeot", "tiemout", "TIMEOUT", "load_timeout", "queuetimeout", "maxscal", "enf"].map(meant)).toEqual(
    "timeout,timeout,timeout,loadTimeout,queueTimeout,maxScale,env".split(","),
  );
  expect(["memory", "x", "", "--", "replicas", "y".repeat(10_000)].map(meant)).toEqual(Array(6).fill(undefined));
});

test("scaling by windows has defaults, changes field by field, and ends with null", () => {
  const defaults = { windowMs: 60_000, target: 70, scaleDownDelayMs: 0, activationScale: 1, maxScaleUpRate: 1000 };
  expect(whole({}).windowScaling).toBeNull();
  expect(whole({ scaling: {} }).windowScaling).toEqual(defaults);
  const windowScaling = { ...defaults, windowMs: 30_000, target: 50 };
  expect(patched({ scaling: { scaleDownDelay: "10s" } }, { windowScaling }).windowScaling).toEqual({ ...windowScaling, scaleDownDelayMs: 10_000 });
  expect(patched({ scaling: { target: null } }, { windowScaling }).windowScaling).toEqual({ ...windowScaling, target: 70 });
  expect(patched({ minScale: 1 }, { windowScaling }).windowScaling).toEqual(windowScaling);
  expect(patched({ scaling: null }, { windowScaling }).windowScaling).toBeNull();
});
