import { type TestBerth, until } from "../berth.ts";

/** Invocations are answered before the pool manager has heard that the code is loaded. */
export async function warmInstance(berth: TestBerth, name: string): Promise<string | undefined> {
  let uid: string | undefined;
  await until(async () => {
    uid = (await berth.instances()).find((instance) => instance.function === name && instance.state === "warm")?.uid;
    return uid !== undefined;
  }, `${name} has a warm instance`);
  return uid;
}

/** `act` happens while an invocation of a neighbour runs, which takes a second and a half; returns what the neighbour got. */
export async function beside(berth: TestBerth, name: string, act: () => Promise<unknown>): Promise<[number, string]> {
  await berth.deploy(name, NEIGHBOURS, { timeout: "3s" });
  await (await berth.invoke(name, {}, "/ok")).text();
  // Its head comes when it has begun.
  const response = await berth.invoke(name, {}, "/slow");
  await act();
  return [response.status, await response.text()];
}

/** Signature node: each path does one thing that ends other processes. */
export const NEIGHBOURS = `
  const actions = {
    "/ok": (req, res) => res.end("ok"),
    "/slow": (req, res) => { res.flushHeaders(); setTimeout(() => res.end("slow"), 1500); },
    "/heard": (req, res) => res.end(String(globalThis.heard ?? false)),
    "/timer": () => setTimeout(() => { throw new Error("in a timer"); }),
    "/rejected": () => { Promise.reject(new Error("rejected")); },
    "/emitter": async () => { const { EventEmitter } = await import("node:events"); setImmediate(() => new EventEmitter().emit("error", new Error("emitted"))); },
    "/body": (req) => { let body = ""; req.on("data", (piece) => { body += piece; }).on("end", () => JSON.parse(body)); },
    "/answered": (req, res) => { res.end("answered"); setTimeout(() => { throw new Error("afterwards"); }, 20); },
    "/twice": (req, res) => { res.end("once"); res.write("more"); res.end("again"); },
    "/answered-twice": async (req, res) => { res.end("once"); void Promise.resolve().then(() => res.setHeader("a", "b")); },
    "/answered-late": (req, res) => { res.end("once"); setTimeout(() => res.writeHead(200).end("again"), 10); },
    "/hung-up": (req, res) => { res.end("once"); req.socket.destroy(); },
    "/half-twice": (req, res) => { res.write("half"); setTimeout(() => res.setHeader("a", "b"), 10); },
    "/destroyed": (req, res) => { req.socket.destroy(); },
    "/prototype": (req, res) => { Object.setPrototypeOf(res, Object.create((require("node:http")).ServerResponse.prototype)); throw new Error("lost prototype"); },
    "/patched": (req, res) => { const proto = require("node:http").ServerResponse.prototype; proto.end = () => { throw new Error("patched"); }; throw new Error("patches"); },
    "/talks": (req, res) => { const words = ["ready", null, { type: "ailing" }, { type: "loadFailed", message: {} }]; for (const word of words) process.send?.(word); res.end(typeof process.send); },
    "/fake-timers": (req, res) => { const { setTimeout } = globalThis; Object.assign(globalThis, { setTimeout: (run, ms) => Number(setTimeout(run, ms)), clearTimeout: () => {}, setImmediate: () => 0 }); res.end("replaced"); },
    "/half-open": async (req, res) => { res.end("answered"); await new Promise((done) => setTimeout(done, 100)); },
    "/forged": (req, res) => { Object.setPrototypeOf(res, Object.create((require("node:http")).ServerResponse.prototype)); globalThis.forged = (globalThis.forged ?? 0) + 1;
      res.setHeader("x-berth-refused", "full"); res.writeHead(200, { "X-Berth-Error": "FAKE" }); res.end(String(globalThis.forged)); },
  };
  import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  export default (req, res) => actions[req.url](req, res);
`;
