import { Hash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ApiKeys, KeyFileError, newKey, passwordOf, presentedKey } from "../../../../pool-manager/client/api-keys.ts";

const file = (text: string) => {
  const path = join(mkdtempSync(join(tmpdir(), "berth-keys-")), "keys");
  writeFileSync(path, text);
  return path;
};

test("a key has the roles of its line, an unknown key none, and the file contains no key", () => {
  const ada = newKey("ada", ["invoke", "manage"]);
  const bob = newKey("bob", ["invoke"]);
  const text = `# who may do what\n\n${ada.line}\n${bob.line}\n`;
  const keys = new ApiKeys(file(text));
  expect([...(keys.rolesOf(ada.key) ?? [])]).toEqual(["invoke", "manage"]);
  expect([...(keys.rolesOf(bob.key) ?? [])]).toEqual(["invoke"]);
  for (const wrong of [undefined, "", ada.key.slice(0, -1), bob.line, newKey("eve", ["manage"]).key]) expect(keys.rolesOf(wrong)).toBeNull();
  expect(text).not.toContain(ada.key.slice(6));
});

test("a full cache forgets its oldest key alone, so that unknown keys do not cost every other caller a hash", () => {
  const ada = newKey("ada", ["invoke"]);
  const keys = new ApiKeys(file(ada.line));
  for (let at = 0; at < 999; at++) keys.rolesOf(`unknown ${at}`);
  keys.rolesOf(ada.key);
  keys.rolesOf("one too many");
  const hash = vi.spyOn(Hash.prototype, "update");
  expect([...(keys.rolesOf(ada.key) ?? [])]).toEqual(["invoke"]);
  for (let at = 1; at < 999; at++) keys.rolesOf(`unknown ${at}`);
  expect(hash).not.toHaveBeenCalled();
  keys.rolesOf("unknown 0");
  expect(hash).toHaveBeenCalledOnce();
  hash.mockRestore();
});

test.each([
  ["", "the key file has no key"],
  ["ada manage", "line 1"],
  [`ok invoke sha256:${"a".repeat(64)}\nada root sha256:${"0".repeat(64)}`, "line 2"],
  ["ada manage sha256:ABC", "line 1"],
])("a file that is none is refused: %j", (text, why) => {
  expect(() => new ApiKeys(file(text))).toThrow(KeyFileError);
  expect(() => new ApiKeys(file(text))).toThrow(why);
});

test("a key is presented as a bearer token or in a header of its own, which comes first", () => {
  expect(presentedKey("Bearer k", undefined)).toBe("k");
  expect(presentedKey("bearer k", "own")).toBe("own");
  expect(presentedKey("Basic k", undefined)).toBeUndefined();
  expect(presentedKey(undefined, undefined)).toBeUndefined();
});

test.each([
  ["Basic YWRtaW46aw==", "k"],
  ["basic OmE6Yg==", "a:b"],
  ["Basic YWRtaW4=", undefined],
  ["Basic %%", undefined],
  ["Basic", undefined],
  ["Bearer YWRtaW46aw==", undefined],
  [undefined, undefined],
])("the password of %j is %j", (authorization, password) => {
  expect(passwordOf(authorization)).toBe(password);
});
