import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Template, templates, writeTemplate } from "../../cli/commands/init.ts";
import { TestBerth, until } from "../helpers/berth.ts";
import { directoryOf } from "../helpers/bundled.ts";
import { PYTHON } from "../helpers/python.ts";
import { deploy } from "./subject.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1 });
});
afterAll(() => berth.close());

const EVENT = { "content-type": "application/json", "ce-id": "1", "ce-source": "/s", "ce-type": "made", "ce-specversion": "1.0" };
const isEvent = (name: string) => name.includes("event");

/** The event that a sender sends: a CloudEvent, or one of the kind that background functions receive. */
const BACKGROUND = JSON.stringify({ data: { name: "Ada" }, context: { eventId: "1", timestamp: "2026-01-31T12:00:00Z", eventType: "made", resource: "r" } });
const eventFor = (signature: string): RequestInit =>
  signature === "event"
    ? { method: "POST", headers: { "content-type": "application/json" }, body: BACKGROUND }
    : { method: "POST", headers: EVENT, body: '{"name":"Ada"}' };

/** Optimizing takes longer than all else, and shows nothing here. */
const BUILDING = { ...process.env, CARGO_PROFILE_RELEASE_OPT_LEVEL: "0" };

/** Whether this machine has what the template needs: a compiler, or Python. */
function isUsable({ language, build }: Template): boolean {
  if (language === "Python") return PYTHON !== null;
  return build === undefined || spawnSync(build.split(" ", 1)[0] as string, ["version"], { timeout: 30_000 }).error === undefined;
}

test.for(templates())("$name: it compiles, is deployed and answers", { timeout: 240_000 }, async (template, { skip }) => {
  const { name, language, signature, build } = template;
  if (!isUsable(template)) skip(`there is no ${build?.split(" ", 1)[0] ?? language} here`);
  const dir = directoryOf({});
  writeTemplate(name, dir);
  if (build) execFileSync("/bin/sh", ["-c", build], { cwd: dir, stdio: "ignore", timeout: 200_000, env: BUILDING });
  if (existsSync(join(dir, "package.json"))) {
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"], { cwd: dir, stdio: "ignore", timeout: 200_000 });
    execFileSync("npx", ["tsc"], { cwd: dir, stdio: "inherit", timeout: 60_000 });
  }
  await deploy(berth, dir, name);
  const init = isEvent(name) ? eventFor(signature) : {};
  const response = await berth.invoke(name, init, isEvent(name) ? "" : "/?name=Ada");
  expect(response.ok).toBe(true);
  if (isEvent(name) && language === "Python") {
    await until(async () => JSON.stringify(await berth.api.get(`/v1/functions/${name}/logs`)).includes("received 1"), "the event is received");
  } else {
    expect(await response.json()).toMatchObject({ hello: "Ada" });
  }
});
