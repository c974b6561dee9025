import { expect, test } from "vitest";
import type { ManagerError } from "../../../../../pool-manager/errors.ts";
import { byDigest, isPinned, parseReference } from "../../../../../pool-manager/images/foreign/reference.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

test.each([
  ["nginx", "docker.io", "library/nginx", "latest"],
  ["team/api:1.2", "docker.io", "team/api", "1.2"],
  ["docker.io/nginx", "docker.io", "library/nginx", "latest"],
  ["registry.example.org/team/api", "registry.example.org", "team/api", "latest"],
  ["localhost/api:v1", "localhost", "api", "v1"],
  ["127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000", "a/b/c", "v1"],
  [`registry:5000/api@${DIGEST}`, "registry:5000", "api", DIGEST],
  [`registry:5000/api:1@${DIGEST}`, "registry:5000", "api", DIGEST],
])("%s", (text, registry, name, version) => {
  expect(parseReference(text)).toEqual({ registry, name, version });
});

test.each([
  "",
  "Bad/Name",
  "a//b",
  "registry:port/x",
  "api@sha256:abc",
  `api@${DIGEST}@${DIGEST}`,
  "api:",
  "api:-x",
  "../x",
  "registry.example.org/../x",
  "a b",
])("%j is refused", (text) => {
  const refused = (() => {
    try {
      return parseReference(text);
    } catch (error) {
      return error as ManagerError;
    }
  })();
  expect(refused).toMatchObject({ code: "IMAGE_INVALID", field: "image" });
});

test("a digest pins an image, and replaces its tag", () => {
  const tagged = parseReference("registry:5000/api:1");
  expect([isPinned(tagged), isPinned(parseReference(`api@${DIGEST}`)), byDigest(tagged, DIGEST)]).toEqual([false, true, `registry:5000/api@${DIGEST}`]);
});
