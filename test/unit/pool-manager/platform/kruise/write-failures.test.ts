import { beforeEach, expect, test } from "vitest";
import { KubeClient } from "../../../../../pool-manager/kubernetes/client.ts";
import { KubeError } from "../../../../../pool-manager/kubernetes/error.ts";
import { WriteFailures } from "../../../../../pool-manager/platform/kruise/write-failures.ts";

let counted: string[];
let told: string[];
let failures: WriteFailures;
beforeEach(() => {
  counted = [];
  told = [];
  failures = new WriteFailures({
    count: (purpose, reason) => counted.push(`${purpose} ${reason}`),
    tell: (step, message) => told.push(`${step}: ${message}`),
  });
});

const forbidden = new KubeError(403, "Forbidden", "a policy denies it");

test("a correction that is refused again and again is told once, with the server's words, and once when it works", () => {
  for (let i = 0; i < 3; i++) failures.ended("heal", "/sets/a", forbidden);
  failures.ended("heal", "/sets/a", null);
  expect(told).toEqual(["correction of CloneSets: /sets/a: a policy denies it", "correction of CloneSets: null"]);
  expect(counted).toEqual(Array(3).fill("heal Forbidden"));
});

test("another object's success does not end the incident, and another reason is reported", () => {
  failures.ended("heal", "/sets/a", forbidden);
  failures.ended("heal", "/sets/b", null);
  failures.ended("heal", "/sets/a", new KubeError(0, "", "no answer"));
  expect(told).toEqual(["correction of CloneSets: /sets/a: a policy denies it", "correction of CloneSets: /sets/a: no answer"]);
});

test("many objects that fail for the same reason are told together, until the last one works", () => {
  for (const path of ["/sets/a", "/sets/b", "/sets/c"]) failures.ended("heal", path, forbidden);
  for (const path of ["/sets/a", "/sets/b"]) failures.ended("heal", path, null);
  expect(told.length).toBe(1);
  failures.ended("heal", "/sets/c", null);
  expect(told.length).toBe(2);
});

test("a conflict is counted and not told; an object that is gone fails no more; a kind that is not served is told", () => {
  failures.ended("heal", "/sets/a", new KubeError(409, "Conflict", "changed"));
  expect(told).toEqual([]);
  failures.ended("heal", "/sets/a", forbidden);
  failures.ended("heal", "/sets/a", new KubeError(404, "NotFound", "gone"));
  failures.ended("image", "/imagepulljobs", new KubeError(404, "NotFound", "no such kind"));
  expect(told.slice(1)).toEqual(["correction of CloneSets: null", "download of code images ahead of their use: /imagepulljobs: no such kind"]);
});

test("a write that a caller waits for is only counted here: the caller reports it", () => {
  failures.ended("claim", "/pods/a", forbidden);
  expect([counted, told]).toEqual([["claim Forbidden"], []]);
});

test("the client reports the outcome of each write", async () => {
  const answers = [201, 403];
  const transport = { send: async () => ({ status: answers.shift() ?? 0, headers: {}, body: Buffer.from('{"reason":"Forbidden","message":"no"}') }) };
  const kube = KubeClient.over(transport as never, "n");
  const ended: string[] = [];
  kube.listen({ onWritten: (purpose, path, error) => ended.push(`${purpose} ${path} ${error?.reason ?? "done"}`) });
  await kube.create("/a", {}, "heal");
  await expect(kube.create("/a", {}, "image")).rejects.toMatchObject({ status: 403 });
  expect(ended).toEqual(["heal /a done", "image /a Forbidden"]);
});
