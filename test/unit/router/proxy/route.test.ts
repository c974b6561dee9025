import { expect, test } from "vitest";
import type { Exchange } from "../../../../router/downstream/exchange.ts";
import { invocationTargetOf } from "../../../../router/proxy/target.ts";

const route = (url: string, host = "", headers: Record<string, string> = {}) =>
  invocationTargetOf({ url, host, header: (name: string) => headers[name] } as unknown as Exchange, "fn.test");

test.each([
  ["/function/hello", "hello", null, "/"],
  ["/function/hello/a%40b%2Fc", "hello", null, "/a%40b%2Fc"],
  ["/function/hello?q=@%68", "hello", null, "/?q=@%68"],
  ["/function/hello@next/x@y", "hello", "next", "/x@y"],
  ["/function/hello%40next/x", "hello", "next", "/x"],
  ["/function/%68el%6Co%40r2", "hello", "r2", "/"],
  ["/function/my%2Dfn%2dx", "my-fn-x", null, "/"],
  ["/function/a%2Fb", "a%2Fb", null, "/"],
  ["/function/a%3Fb%00%zz%", "a%3Fb%00%zz%", null, "/"],
])("%s is %s at version %s with the path %s", (url, name, version, path) => {
  expect(route(url)).toEqual({ name, version, path, prefix: url.match(/^\/function\/[^/?]*/)?.[0], isEvent: false });
});

test("a name in the host is unchanged, and the version of the path takes precedence over that of a header", () => {
  expect(route("/function/x%40y", "shop.fn.test")).toEqual({ name: "shop", version: null, path: "/function/x%40y", prefix: "", isEvent: false });
  expect(route("/function/x%40y", "any.host", { "x-berth-revision": "r9" })).toEqual({
    name: "x",
    version: "y",
    path: "/",
    prefix: "/function/x%40y",
    isEvent: false,
  });
});
