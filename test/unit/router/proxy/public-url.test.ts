import { describe, expect, test } from "vitest";
import { parseNetwork, TrustedProxies } from "../../../../router/downstream/trusted-proxies.ts";
import { publicUrlHeaders } from "../../../../router/proxy/public-url.ts";

describe("a function's public URL", () => {
  test.each<[string, string[], string, string[]]>([
    ["is what the router sees", [], "/function/f", ["x-forwarded-proto", "http", "x-forwarded-host", "h:1", "x-forwarded-prefix", "/function/f"]],
    ["has no prefix where its host names it", [], "", ["x-forwarded-proto", "http", "x-forwarded-host", "h:1"]],
    [
      "is what a trusted proxy says, and the proxy's prefix comes first",
      ["X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example", "X-Forwarded-Prefix", "/api/", "X-Forwarded-Port", "443"],
      "/function/f",
      ["X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example", "X-Forwarded-Port", "443", "x-forwarded-prefix", "/api/function/f"],
    ],
    [
      "takes no empty word",
      ["x-forwarded-proto", "", "x-forwarded-host", "", "x-forwarded-prefix", ""],
      "",
      ["x-forwarded-proto", "http", "x-forwarded-host", "h:1"],
    ],
  ])("%s", (_what, claims, prefix, told) => {
    expect(publicUrlHeaders(claims, "h:1", prefix)).toEqual(told);
  });

  test("has no host if the client names none", () => {
    expect(publicUrlHeaders([], "", "")).toEqual(["x-forwarded-proto", "http"]);
  });
});

describe("trusted proxies", () => {
  const trust = new TrustedProxies(["10.1.0.0/16", "192.168.1.7", "fd00::/8"]);
  test.each(["10.1.255.3", "192.168.1.7", "::ffff:10.1.0.1", "fd12::1"])("%s is one", (address) => expect(trust.has(address)).toBe(true));
  test.each(["10.2.0.1", "192.168.1.8", "::ffff:10.2.0.1", "fe80::1", "", "unknown"])("%s is none", (address) => expect(trust.has(address)).toBe(false));
  test("none are trusted if none are named", () => expect(new TrustedProxies([]).has("127.0.0.1")).toBe(false));

  test.each(["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "10.0.0", "host.example", "10.0.0.0/-1", "1.2.3.4/ 8"])("%j is no network", (text) => {
    expect(parseNetwork(text)).toBeNull();
  });
});
